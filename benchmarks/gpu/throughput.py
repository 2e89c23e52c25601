"""Stage 2: speed of a training step, its bounds, and speed of the input pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from device import PRECISIONS, matrix_rate
from input_pipeline import PIPELINES, time_loop
from settings import Settings
from stage_file import Result, left_out, markdown
from training_step import Variant, measure_step, profile_step

# Settings of configs/slic_r3d_ucf101.py in one process.
DEFAULT = Variant("bf16", "hook")
# With torch.compile, close to slic_r3d_ucf101_exact.py, then other changes of the default.
VARIANTS = [
    Variant("bf16", "hook", compiled=True),
    Variant("tf32", "loaded"),
    Variant("bf16", "usual"),
    Variant("bf16", "hook", 64),
    Variant("fp16", "hook"),
    Variant("fp32", "hook"),
]


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Yield the measurements, the most important first: default step, profile and input."""
    videos = 2 if settings.small else 32
    default = Variant("fp32", "hook", 2) if settings.small else DEFAULT
    yield "matrix product, bf16", partial(matrix_rate, "bf16", settings)
    yield f"step, {default}", partial(measure_step, default, settings)
    yield f"profile, {default}", partial(profile_step, default, settings)
    for variant in [] if settings.small else VARIANTS[:1]:
        yield f"step, {variant}", partial(measure_step, variant, settings)
    for name in PIPELINES:
        yield f"loop, {name}", partial(time_loop, name, videos, settings)
    for precision in PRECISIONS[1:]:
        yield f"matrix product, {precision}", partial(matrix_rate, precision, settings)
    for variant in [] if settings.small else VARIANTS[1:]:
        yield f"step, {variant}", partial(measure_step, variant, settings)


def table(results: dict[str, Result]) -> str:
    """Format tables of steps relative to the matrix rate, kernels, layouts and loops."""

    def of(kind: str) -> list[tuple[str, Result]]:
        return [
            (name, result)
            for name, result in results.items()
            if name.startswith(kind) and not {"failed", "skipped"} & set(result)
        ]

    def share(result: Result) -> float | None:
        """Return the share of the matrix rate in the same precision."""
        ceiling = results.get(f"matrix product, {result['precision']}", {}).get("tflops")
        return result["tflops"] / ceiling if ceiling else None

    parts = ["## Ceilings", markdown(["", "TFLOP/s"], [[n, r["tflops"]] for n, r in of("matrix")])]
    columns = ["step", "ms", "spread", "clips/s", "TFLOP/s", "share of matrix rate", "peak MiB"]
    rows: list[list[object]] = []
    for name, r in of("step"):
        spread = f"{1e3 * r['seconds_low']:.3g}-{1e3 * r['seconds_high']:.3g}"
        speed = [1e3 * r["seconds"], spread, r["clips_per_s"], r["tflops"], share(r)]
        rows.append([name.removeprefix("step, "), *speed, r["peak_mib"]])
    parts += ["## Training step", markdown(columns, rows)]
    for name, r in of("profile"):
        shares = ", ".join(f"{kind} {share:.1%}" for kind, share in r["shares"].items())
        busy = f"{r['busy_ms']:.3g} ms of {r['span_ms']:.3g} ms per step busy: {shares}."
        if r["convolution_tflops"]:
            busy += f" Convolutions run at {r['convolution_tflops']:.3g} TFLOP/s."
        rows = [[k["name"], k["kind"], k["ms"], f"{k['share']:.1%}"] for k in r["kernels"]]
        parts += [f"## {name}", busy, markdown(["kernel", "kind", "ms", "share"], rows)]
    rows = []
    for name, r in of("loop"):
        times = [1e3 * r[key] for key in ("loop_s", "step_s", "augment_s")]
        speed = [r["input_share"], r["clips_per_s"], r["workers"]]
        rows.append([name.removeprefix("loop, "), *times, *speed])
    columns = ["loop", "ms", "step", "augmentation", "share of the input", "clips/s", "workers"]
    parts += ["## Input", markdown(columns, rows)]
    return "\n\n".join([*parts, left_out(results)])
