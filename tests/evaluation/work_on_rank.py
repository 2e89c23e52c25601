"""One rank of test_metrics_on_ranks.py: OUT_DIR."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from slic_mmaction.evaluation import (
    EmbeddedVideos,
    LinearProbeMetric,
    OneEmbeddingEach,
    SeenAs,
    VideoKNNMetric,
    VideoRetrievalMetric,
)


def videos(count: int, seed: int) -> EmbeddedVideos:
    labels = np.arange(count) % 3
    noise = torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))
    rows = torch.eye(3, 5)[torch.from_numpy(labels)] + 0.6 * noise
    # Copies, whose order must not depend on who searches.
    rows[-3:] = rows[0]
    return EmbeddedVideos(np.arange(count).astype(str), labels, OneEmbeddingEach(rows))


def run(out: Path) -> None:
    rank = dist.get_rank() if dist.is_initialized() else 0
    outcome: dict[str, object] = {}
    figures: dict[str, float] = {}
    for metric in (
        VideoRetrievalMetric(ks=(1, 3), mean_average_precision=True, out_file=str(out / "n.npz")),
        VideoKNNMetric(ks=(4,)),
        LinearProbeMetric(lrs=(1.0, 3.0), weight_decays=(0.0,), epochs=5),
    ):
        for queries in (2, 7):
            got = metric.evaluate_videos(
                videos(queries, 0), videos(13, 1), SeenAs("iic", "projection")
            )
            figures.update((f"{queries} {name}", value) for name, value in got.items())
    outcome["figures"] = figures

    torch.save(outcome, out / f"rank_{rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    run(Path(sys.argv[1]))
    dist.barrier()
    dist.destroy_process_group()
