"""Time networks with the channels last in memory against the usual layout.

Three contestants take turns on the same random clips, with the same weights: ``usual`` gets clips
in torch's usual layout; ``loaded`` gets them as our pipelines hand them out, which is with the
channels last if a video has several views; ``hook`` gets the latter under ChannelsLastHook.
``step`` is a training step; ``forward`` is one clip of each video in evaluation mode, as when they
are clustered, where ``loaded`` is the usual layout. Processor time of one thread, medians.

    python benchmarks/channels_last.py --out channels_last.json
    python benchmarks/channels_last.py --configs backbones/slic_swin_ucf101 --rounds 3
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from rich.progress import track

from slic_mmaction.hooks.channels_last_hook import use_channels_last

if TYPE_CHECKING:
    from mmaction.models.recognizers.base import BaseRecognizer

ROOT = Path(__file__).parents[1]
VIEWS = 3
# A config and the videos in a batch, which a small machine can hold.
CONFIGS = {
    "slic_r3d_slim_ucf101": 16,
    "slic_r3d_ucf101": 1,
    "backbones/slic_x3d_ucf101": 1,
    "backbones/slic_tsm_ucf101": 1,
}


def random_batch(cfg: Config, videos: int, views: int) -> dict[str, Any]:
    """What a loader would yield for a config, of noise, laid out as from decoded frames."""
    hook = next(hook for hook in cfg.custom_hooks if hook["type"] == "PseudoLabelHook")
    steps = {step["type"]: step for step in hook["pipeline"]}
    frames, side = steps["SampleFrames"]["clip_len"], steps["CenterCrop"]["crop_size"]
    inputs, samples = [], []
    for video in range(videos):
        clips = torch.randint(256, (views, frames, side, side, 3), dtype=torch.uint8)
        if steps["FormatShape"]["input_format"] == "NCHW":
            inputs.append(clips.flatten(0, 1).permute(0, 3, 1, 2))
        else:
            inputs.append(clips.permute(0, 4, 1, 2, 3))
        sample = ActionDataSample(metainfo=dict(draw_seed=video))
        sample.pseudo_label = torch.tensor([video // 2])
        sample.video_indices = torch.tensor([video] * views)
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def step_seconds(model: BaseRecognizer, batch: dict[str, Any]) -> float:
    """Processor time of one training step, with a learning rate of 0."""
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    model.train()
    start = time.process_time()
    model.train_step(batch, optim)
    return time.process_time() - start


@torch.no_grad()
def forward_seconds(model: BaseRecognizer, batch: dict[str, Any]) -> float:
    """Processor time of embedding the clips."""
    model.eval()
    start = time.process_time()
    model(**model.data_preprocessor(batch), mode="predict")
    return time.process_time() - start


def usual(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch in torch's usual layout."""
    return dict(batch, inputs=[clips.contiguous() for clips in batch["inputs"]])


def compare(name: str, videos: int, rounds: int) -> dict[str, Any]:
    """Medians of a config's network by kind and contestant, and what the hook gains."""
    torch.manual_seed(0)
    cfg = Config.fromfile(ROOT / "configs" / f"{name}.py")
    plain = MODELS.build(cfg.model)
    hooked = copy.deepcopy(plain)
    use_channels_last(hooked.backbone)
    clips, centres = random_batch(cfg, videos, VIEWS), random_batch(cfg, videos, 1)
    contestants: dict[tuple[str, str], Callable[[], float]] = {
        ("step", "usual"): lambda: step_seconds(plain, usual(clips)),
        ("step", "loaded"): lambda: step_seconds(plain, clips),
        ("step", "hook"): lambda: step_seconds(hooked, clips),
        ("forward", "usual"): lambda: forward_seconds(plain, usual(centres)),
        ("forward", "hook"): lambda: forward_seconds(hooked, centres),
    }
    times: dict[tuple[str, str], list[float]] = {key: [] for key in contestants}
    for number in track(range(rounds + 1), name):
        for key, measure in contestants.items():
            seconds = measure()
            if number:  # The first round warms up.
                times[key].append(seconds)
    medians = {key: statistics.median(values) for key, values in times.items()}
    return dict(
        config=name,
        videos=videos,
        seconds={" ".join(key): value for key, value in medians.items()},
        step_loaded_over_hook=medians["step", "loaded"] / medians["step", "hook"],
        step_usual_over_hook=medians["step", "usual"] / medians["step", "hook"],
        forward_usual_over_hook=medians["forward", "usual"] / medians["forward", "hook"],
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configs", nargs="+", default=list(CONFIGS), help="below configs/")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", help="also write the result to this JSON file")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    init_default_scope("mmaction")
    rows = []
    for name in args.configs:
        row = compare(name, CONFIGS.get(name, 1), args.rounds)
        rows.append(row)
        print(
            f"{name}: step {row['seconds']['step hook']:.2f} s with the hook; as loaded "
            f"{row['step_loaded_over_hook']:.2f} times as long, usual layout "
            f"{row['step_usual_over_hook']:.2f}; forward {row['seconds']['forward hook']:.2f} s, "
            f"usual layout {row['forward_usual_over_hook']:.2f} times as long"
        )
    processor = platform.processor() or platform.machine()
    report = dict(processor=processor, threads=1, torch=torch.__version__, networks=rows)
    if args.out:
        with open(args.out + ".tmp", "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
        os.replace(args.out + ".tmp", args.out)


if __name__ == "__main__":
    main()
