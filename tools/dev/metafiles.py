"""Write ``model-index.yml`` and the ``metafile.yml`` files with which ``mim`` finds the configs.

    python tools/dev/metafiles.py

All values are read from the configs. Run it again after changing a config; a test checks this.
Configs that only evaluate a checkpoint (retrieval, kNN, linear probe) are not listed as models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
FOLDERS = ("configs", "configs/ablations", "configs/backbones", "configs/finetune")
DATA = {"ucf101": "UCF101", "hmdb51": "HMDB51", "kinetics400": "Kinetics-400"}
# Figures of the paper's abstract. They are not results of this package.
SLIC = {
    "Name": "SLIC",
    "README": "README.md",
    "Paper": {
        "URL": "https://arxiv.org/abs/2206.12534",
        "Title": "SLIC: Self-Supervised Learning with Iterative Clustering for Human Action Videos",
        "Top 1 Accuracy reported after finetuning": {"UCF101": 83.2, "HMDB51": 54.5},
    },
}


def contents(load: Callable[[str], Config]) -> dict[str, str]:
    """Return the text of each file by path; ``load`` reads a config by its path in ``configs/``."""
    files: dict[str, Any] = {
        "model-index.yml": {"Import": [f"{folder}/metafile.yml" for folder in FOLDERS]}
    }
    for folder in FOLDERS:
        models = [
            _model(f"{folder}/{path.name}", load(str(path.relative_to(ROOT / "configs"))))
            for path in sorted((ROOT / folder).glob("*.py"))
        ]
        collection = {"Collections": [SLIC]} if folder == "configs" else {}
        files[f"{folder}/metafile.yml"] = {**collection, "Models": models}
    return {
        path: yaml.safe_dump(content, sort_keys=False, width=100) for path, content in files.items()
    }


def _model(path: str, config: Config) -> dict[str, Any]:
    backbone, loader = config.model.backbone, config.train_dataloader
    depth = backbone.get("depth")
    dataset = loader.dataset.get("dataset", loader.dataset)
    flow = any(step.get("type") == "FlowView" for step in _dicts(loader.to_dict()))
    return {
        "Name": Path(path).stem,
        "Config": path,
        "In Collection": "SLIC",
        "Metadata": {
            "Architecture": f"{backbone.type}-{depth}" if isinstance(depth, int) else backbone.type,
            "Batch Size": loader.batch_size,
            "Epochs": config.train_cfg.max_epochs,
            "Optimizer": config.optim_wrapper.optimizer.type,
            "Training Data": DATA[Path(dataset.ann_file).parent.name],
        },
        "Modality": "RGB, Flow" if flow else "RGB",
        "Weights": "not published",
    }


def _dicts(node: Any) -> Iterator[dict[str, Any]]:
    """Yield all dicts in nested dicts and lists."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _dicts(item)


if __name__ == "__main__":
    files = contents(
        lambda name: Config.fromfile(ROOT / "configs" / name, import_custom_modules=False)
    )
    for path, text in files.items():
        (ROOT / path).write_text(text, encoding="utf-8")
