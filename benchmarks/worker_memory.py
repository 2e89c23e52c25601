"""Memory of a loader worker over many training samples.

One worker of a DataLoader runs the training pipeline of configs/slic_r3d_ucf101.py; its resident
memory is read from /proc (Linux) after every tenth of the samples. The growth after the first tenth
is what a run of days multiplies.

    python benchmarks/worker_memory.py --out worker_memory.json
    python benchmarks/worker_memory.py --decoder decord --samples 2000
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track
from sampled_videos import SHARED, made_up_videos
from torch.utils.data import DataLoader

from slic_mmaction.datasets import ClusterAwareDataset

ROOT = Path(__file__).parents[1]


def resident_megabytes(process: int) -> float:
    """Resident memory of a process without what it shares with others."""
    pages = Path(f"/proc/{process}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * resource.getpagesize() / 2**20


class Endless:
    """Indices in random order for ever: many epochs without a new worker."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng(0)
        return iter(lambda: int(rng.integers(self.length)), -1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=20000)
    parser.add_argument("--decoder", default="auto")
    parser.add_argument("--out", help="also write the result to this JSON file")
    args = parser.parse_args()
    init_default_scope("mmaction")

    with tempfile.TemporaryDirectory() as scratch:
        paths = sorted(SHARED.glob("ucf101_raw/*/*.avi"))
        paths += sorted(SHARED.glob("ucf101_6/videos/*/*_g0[1-3]_c01.mp4"))
        paths = paths or made_up_videos(Path(scratch) / "generated", 12)
        listed = Path(scratch) / "list.txt"
        listed.write_text("".join(f"{path}\n" for path in paths))
        pipeline = Config.fromfile(ROOT / "configs/slic_r3d_ucf101.py").train_pipeline
        pipeline[0].decoder = args.decoder
        dataset = ClusterAwareDataset(
            dict(type="VideoDataset", ann_file=str(listed), data_prefix=dict(video="")), pipeline
        )
        dataset.store.update(np.zeros(len(paths), dtype=np.int64))
        loader = DataLoader(
            dataset, batch_size=4, sampler=Endless(len(paths)), num_workers=1, collate_fn=list
        )
        batches = iter(loader)
        worker = batches._workers[0].pid  # type: ignore[attr-defined]
        megabytes = {}
        step = max(args.samples // 10, 4)
        for number, _ in enumerate(track(itertools.islice(batches, args.samples // 4)), start=1):
            if 4 * number % step < 4:
                megabytes[4 * number] = round(resident_megabytes(worker), 1)
        del batches
    counts = list(megabytes)
    report = {
        "videos": len(paths),
        "decoder": args.decoder,
        "resident_megabytes_after_samples": megabytes,
        "growth_after_first_tenth_megabytes": round(
            megabytes[counts[-1]] - megabytes[counts[0]], 1
        ),
    }
    print(json.dumps(report, indent=2))
    if args.out:
        with open(args.out + ".tmp", "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
        os.replace(args.out + ".tmp", args.out)


if __name__ == "__main__":
    main()
