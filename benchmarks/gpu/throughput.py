"""Stage (b): how fast, against what the device could do, and where the rest goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import ceilings
import input_pipeline
import kernel_profile
import layer_rates
import training_step
from settings import Settings
from stage_file import Result, markdown
from training_step import Variant

# One thing changes at a time, from what configs/slic_r3d_ucf101.py does to what should be fastest.
VARIANTS = [
    Variant("fp32", "loaded", tuned=False),
    Variant("tf32", "loaded", tuned=False),
    Variant("fp32", "loaded"),
    Variant("fp32", "weights"),
    Variant("tf32", "usual"),
    Variant("tf32", "weights"),
    Variant("bf16", "loaded", tuned=False),
    *(Variant("bf16", layout) for layout in training_step.LAYOUTS),
    Variant("fp16", "weights"),
    *(Variant("bf16", layout, compiled=True) for layout in ("usual", "weights")),
    *(Variant("bf16", "weights", videos) for videos in (16, 64, 128)),
    Variant("bf16", "weights", 64, compiled=True),
    Variant("bf16", "weights", 128, compiled=True),
]
PROFILED = [
    Variant("tf32", "weights"),
    Variant("bf16", "usual"),
    Variant("bf16", "weights"),
    Variant("bf16", "weights", compiled=True),
]
SMALL = [
    Variant("fp32", "usual", 2),
    Variant("bf16", "weights", 2),
    Variant(videos=2, compiled=True),
]


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Ceilings first, then the step, its profile, its layers, and what feeds it."""
    videos = 2 if settings.small else 32
    for precision in ceilings.DTYPES:
        yield f"matrix product, {precision}", partial(ceilings.matrix_rate, precision, settings)
    yield "copy", partial(ceilings.copy_rate, settings)
    for variant in SMALL if settings.small else VARIANTS:
        yield f"step, {variant}", partial(training_step.measure, variant, settings)
    for variant in SMALL[:1] if settings.small else PROFILED:
        yield f"profile, {variant}", partial(kernel_profile.measure, variant, settings)
    for precision in ("fp32",) if settings.small else ("bf16", "tf32"):
        work = partial(layer_rates.measure, precision, videos, settings)
        yield f"convolutions alone, {precision}", work
    for decoder in input_pipeline.DECODERS:
        yield f"decoding, {decoder}", partial(input_pipeline.decoding, decoder, settings)
    augment = partial(input_pipeline.device_augmentation, videos, settings)
    yield "augmentation on the device", augment
    for name in input_pipeline.PIPELINES:
        yield f"loop, {name}", partial(input_pipeline.training_loop, name, videos, settings)


def table(results: dict[str, Result]) -> str:
    """Steps against the measured matrix rate, shares of kernels, layers, loops."""
    parts = [
        _ceilings(results),
        _steps(results),
        *(_profile(name, r) for name, r in _of("profile", results)),
        *(_layers(name, r, results) for name, r in _of("convolutions alone", results)),
        _feeding(results),
        _left_out(results),
    ]
    return "\n\n".join(part for part in parts if part)


def _of(kind: str, results: dict[str, Result]) -> list[tuple[str, Result]]:
    """Measurements of a kind that have figures."""
    return [
        (name, result)
        for name, result in results.items()
        if name.startswith(kind) and "failed" not in result and "skipped" not in result
    ]


def _share(result: Result, results: dict[str, Result]) -> float | None:
    """Of the matrix rate measured here in the same precision."""
    ceiling = results.get(f"matrix product, {result['precision']}", {}).get("tflops")
    return None if ceiling is None else result["tflops"] / ceiling


def _ceilings(results: dict[str, Result]) -> str:
    rows: list[list[object]] = [
        [name, result["tflops"], "TFLOP/s"] for name, result in _of("matrix product", results)
    ]
    rows += [[name, result["gb_per_s"], "GB/s"] for name, result in _of("copy", results)]
    return "## Ceilings\n\n" + markdown(["", "rate", ""], rows)


def _steps(results: dict[str, Result]) -> str:
    rows: list[list[object]] = [
        [
            name.removeprefix("step, "),
            1e3 * r["seconds"],
            f"{1e3 * r['seconds_low']:.3g}-{1e3 * r['seconds_high']:.3g}",
            r["clips_per_s"],
            r["tflops"],
            _share(r, results),
            None if r["peak_mib"] is None else r["peak_mib"] / 1024,
        ]
        for name, r in _of("step", results)
    ]
    head = ["step", "ms", "spread", "clips/s", "TFLOP/s", "share of matrix rate", "peak GiB"]
    return "## Training step\n\n" + markdown(head, rows)


def _profile(name: str, result: Result) -> str:
    shares = ", ".join(f"{kind} {share:.1%}" for kind, share in result["shares"].items())
    rows: list[list[object]] = [
        [k["name"][:90], k["kind"], k["calls"], k["ms"], f"{k['share']:.1%}"]
        for k in result["kernels"][:12]
    ]
    busy = f"{result['busy_ms']:.3g} ms of {result['span_ms']:.3g} ms per step busy"
    return f"## {name}\n\n{busy}: {shares}\n\n" + markdown(
        ["kernel", "kind", "calls", "ms", "share"], rows
    )


def _layers(name: str, result: Result, results: dict[str, Result]) -> str:
    rows: list[list[object]] = [
        [x["layer"], x["times"], 1e3 * x["seconds"], x["tflops"]] for x in result["layers"]
    ]
    rows.append(["all, as often as they occur", None, 1e3 * result["seconds"], result["tflops"]])
    share = _share(result, results)
    said = "" if share is None else f"Together {share:.1%} of the matrix rate.\n\n"
    return f"## {name}\n\n{said}" + markdown(["layer", "times", "ms", "TFLOP/s"], rows)


def _feeding(results: dict[str, Result]) -> str:
    decoded = [[n, r["samples_per_s"], 1e3 * r["seconds"]] for n, r in _of("decoding", results)]
    augmented = [[n, r["clips_per_s"], 1e3 * r["seconds"]] for n, r in _of("augmentation", results)]
    loops = [
        [n, 1e3 * r["loop_s"], 1e3 * r["step_s"], r["input_share"], r["clips_per_s"], r["workers"]]
        for n, r in _of("loop", results)
    ]
    head = ["loop", "ms", "of it the step", "share of the input", "clips/s", "workers"]
    return "\n\n".join(
        [
            "## Input\n\n" + markdown(["one process", "samples/s", "ms"], decoded),
            markdown(["on the device", "clips/s", "ms"], augmented),
            markdown(head, loops),
        ]
    )


def _left_out(results: dict[str, Result]) -> str:
    rows: list[list[object]] = [
        [name, said, result[said]]
        for name, result in results.items()
        for said in ("skipped", "failed")
        if said in result
    ]
    return "## Without figures\n\n" + markdown(["", "", "why"], rows) if rows else ""
