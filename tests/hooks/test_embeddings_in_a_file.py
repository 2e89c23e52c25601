"""A whole run whose embeddings do not fit into the memory it may use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmaction.registry import TASK_UTILS
from mmengine.runner import Runner

from slic_mmaction.clustering import FINCH


@TASK_UTILS.register_module()
class WhereEmbeddingsAre(FINCH):
    """FINCH that notes whether what it clusters lies in a mapped file."""

    mapped: list[bool]

    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        here = embeddings.data_ptr()
        maps = Path("/proc/self/maps").read_text().splitlines()
        files = [line for line in maps if ".embeddings_rank0.npy" in line]
        spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in files]
        self.mapped.append(any(start <= here < end for start, end in spans))
        return super().__call__(embeddings)


def test_the_run_is_the_same_and_nothing_is_left_behind(tiny_config, tmp_path: Path) -> None:
    runs = []
    for max_bytes in (1 << 30, 0):
        cfg = tiny_config(tmp_path / str(max_bytes))
        cfg.custom_hooks[0].clusterer = dict(type="WhereEmbeddingsAre")
        cfg.custom_hooks[0].max_embedding_bytes = max_bytes
        WhereEmbeddingsAre.mapped = []
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert WhereEmbeddingsAre.mapped and set(WhereEmbeddingsAre.mapped) == {max_bytes == 0}
        assert not list(Path(runner.work_dir).glob("*embeddings*"))
        runs.append(
            (runner.train_dataloader.dataset.store.labels.clone(), runner.model.state_dict())
        )
    assert torch.equal(runs[0][0], runs[1][0])
    for name, value in runs[0][1].items():
        assert torch.equal(value, runs[1][1][name]), name
