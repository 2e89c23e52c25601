"""The test loop that computes features once for all metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from mmaction.registry import LOOPS
from mmengine.dataset import BaseDataset
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, TestLoop
from torch.utils.data import DataLoader

from ..datasets.retrieval_dataset import RetrievalDataset
from ..datasets.videos import annotation_files, true_labels
from ..ranks import on_main
from .extract import ROLES, check_weights, extract_features, parts_of
from .gallery_metric import GalleryMetric


@LOOPS.register_module()
class FeatureTestLoop(TestLoop):
    """Test loop that evaluates stored features of queries and gallery.

    The pooled backbone features of all clips are stored in ``cache_dir/DIGEST``, in the format of
    ``tools/extract_features.py``. The digest depends on the weights in memory, the settings and
    the videos. Another run or metric therefore reuses the same features, but never those of
    another checkpoint with the same name. All ranks must see the folder. If the head's
    ``feature`` is the projection, the head computes embeddings from them each time. Then each
    :class:`GalleryMetric` evaluates all videos.

    Args:
        runner: Runner of the test.
        dataloader: Loader of a :class:`RetrievalDataset`. Only its batch size and number of
            workers are used.
        evaluator: Evaluator whose metrics are :class:`GalleryMetric`.
        cache_dir: Folder of the stored features. It may be deleted at any time.
        clips_per_pass: Largest number of clips that pass through the network at once.
        shard_videos: Number of videos in a file. A killed run loses at most these on each rank.
        fp16: Whether the network runs under autocast.

    Raises:
        TypeError: If the dataset or a metric has another type.

    Examples:
        >>> from mmengine import Config
        >>> from mmengine.runner import Runner
        >>> cfg = Config.fromfile("slic.py")
        >>> cfg.test_cfg = dict(type="FeatureTestLoop", cache_dir="features")
        >>> sorted(Runner.from_cfg(cfg).test())  # R@k for each k up to three gallery videos
        ['retrieval/R@1']
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        cache_dir: str,
        clips_per_pass: int = 64,
        shard_videos: int = 1024,
        fp16: bool = False,
    ) -> None:
        super().__init__(runner, dataloader, evaluator, fp16=fp16)
        dataset = self.dataloader.dataset
        if not isinstance(dataset, RetrievalDataset):
            raise TypeError(
                "FeatureTestLoop needs test_dataloader.dataset of type RetrievalDataset, but it is "
                f"{type(dataset).__name__}."
            )
        for metric in self.evaluator.metrics:
            if not isinstance(metric, GalleryMetric):
                raise TypeError(
                    f"FeatureTestLoop cannot feed a {type(metric).__name__}, which does not read "
                    "stored features: set test_cfg.type=TestLoop for it."
                )
        self.cache_dir = Path(cache_dir)
        self.clips_per_pass = clips_per_pass
        self.shard_videos = shard_videos

    def run(self) -> dict[str, float]:
        """Compute the missing features, evaluate, and return figures by name.

        Raises:
            ValueError: If a video does not have exactly one class, or the checkpoint lacks
                weights.
        """
        self.runner.call_hook("before_test")
        self.runner.call_hook("before_test_epoch")
        cfg, model = self.runner.cfg, self.runner.model
        model = model.module if is_model_wrapper(model) else model
        # Check the labels before hours of extraction.
        labels = {role: _labels(part) for role, part in parts_of(self.dataloader.dataset).items()}
        layer = getattr(model.cls_head, "feature", "backbone")
        checkpoint = cfg.get("load_from")
        if checkpoint and not self.runner.iter:  # not after training in this process
            on_main(lambda: check_weights(model, checkpoint, layer))
        model.eval()
        stored = extract_features(
            model,
            self.dataloader,
            cfg,
            lambda _, key: self.cache_dir / key.digest,
            "backbone",
            self.clips_per_pass,
            self.shard_videos,
            self.fp16,
        )
        if layer == "projection":
            stored = {role: part.projected(model.cls_head) for role, part in stored.items()}
        query, gallery = (replace(stored[role], labels=labels[role]) for role in ROLES)
        figures: dict[str, float] = {}
        for metric in self.evaluator.metrics:
            figures.update(metric.evaluate_features(query, gallery))
        self.runner.call_hook("after_test_epoch", metrics=figures)
        self.runner.call_hook("after_test")
        return figures


def _labels(videos: BaseDataset) -> np.ndarray:
    labels = true_labels(videos)
    if labels is None:
        raise ValueError(
            f"An evaluation needs exactly one class for each video, but some of "
            f"{annotation_files(videos)} have none or several: correct the annotation file."
        )
    return labels
