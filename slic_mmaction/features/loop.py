"""The test loop that computes features once and lets every metric read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmaction.registry import LOOPS
from mmengine.dataset import BaseDataset
from mmengine.dist import is_main_process
from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner, TestLoop
from torch.utils.data import DataLoader

from ..datasets.retrieval_dataset import RetrievalDataset
from ..datasets.videos import true_labels, video_name
from ..evaluation.embedded_videos import EmbeddedVideos
from ..evaluation.gallery_metric import ROLES, GalleryMetric
from ..evaluation.protocols import SeenAs
from ..ranks import on_main
from .extract import Extraction, extract_features
from .feature_set import FeatureSet
from .fingerprint import FeatureKey, config_hash, videos_hash, weights_hash
from .loaded_weights import check_weights
from .projected import ProjectedClips
from .record import evaluation_record, write_record


@LOOPS.register_module()
class FeatureTestLoop(TestLoop):
    """Tests by stored features of queries and gallery.

    Pooled backbone features of all clips go to ``cache_dir/DIGEST``, in the format of
    ``tools/extract_features.py``. The digest is of the weights in memory, the settings and the
    videos, so another run or another metric finds the same features again, and never those of
    another checkpoint under the same name. All ranks must see the folder. Where the head's
    ``feature`` is the projection, the head turns them into embeddings each time. Each metric
    then works on all videos: :class:`VideoRetrievalMetric`, :class:`VideoKNNMetric` and
    :class:`LinearProbeMetric`, one or several in a run.

    Besides MMEngine's log, ``evaluation.json`` in the run's log folder says of the figures what
    they were made of.

    Args:
        runner (Runner): Of the test.
        dataloader (DataLoader | dict): With a :class:`RetrievalDataset`; only its batch size
            and its number of workers are taken from it.
        evaluator (Evaluator | dict | list): Of metrics that read stored features.
        cache_dir (str): Where features go. Delete it at will.
        clips_per_pass (int): Most clips that go through the network at once. Defaults to 64.
        shard_videos (int): Videos in a file: what a killed run computes again at most, on each
            rank. Defaults to 1024.
        fp16 (bool): Whether the network runs under autocast. Defaults to False.

    Raises:
        TypeError: If the dataset or a metric is of another kind.
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
        """Compute what is missing, evaluate, record.

        Returns:
            dict[str, float]: Figures by name.
        """
        self.runner.call_hook("before_test")
        self.runner.call_hook("before_test_epoch")
        dataset = self.dataloader.dataset
        model = self.runner.model
        model = model.module if is_model_wrapper(model) else model
        layer = getattr(model.cls_head, "feature", "backbone")
        checkpoint = self.runner.cfg.get("load_from")
        if checkpoint:
            on_main(lambda: check_weights(model, checkpoint, layer))
        model.eval()
        # One process looks at the weights and files: clocks of machines differ.
        keys = on_main(lambda: self._keys(model))
        features = [self._features(model, role, keys[role]) for role in ROLES]
        query, gallery = (
            EmbeddedVideos(
                np.array(part.names),
                _labels(getattr(dataset, role)),
                ProjectedClips(part, model.cls_head) if layer == "projection" else part,
            )
            for part, role in zip(features, ROLES)
        )
        index = features[1].index
        if index["protocol"] is None:
            raise ValueError(
                "The data samples name no retrieval protocol: begin the pipeline with "
                "SampleProtocolClips and end it with PackActionInputs(meta_keys=('protocol',))."
            )
        seen = SeenAs(index["protocol"], layer, tuple(index["frame_size"]))
        figures: dict[str, float] = {}
        for metric in self.evaluator.metrics:
            figures.update(metric.evaluate_videos(query, gallery, seen))
        if is_main_process():
            record = evaluation_record(self.runner.cfg, dataset, weights_hash(model, layer), seen)
            record["figures"] = figures
            record["details"] = {m.prefix: m.details for m in self.evaluator.metrics}
            path = write_record(self.runner.log_dir, record)
            print_log(f"What these figures were made of: {path}", logger="current")
        self.runner.call_hook("after_test_epoch", metrics=figures)
        self.runner.call_hook("after_test")
        return figures

    def _keys(self, model: BaseModel) -> dict[str, FeatureKey]:
        cfg = self.runner.cfg
        pipeline = cfg.test_dataloader.dataset.pipeline
        weights = weights_hash(model, "backbone")
        config = config_hash(cfg.model, pipeline, "backbone", self.fp16)
        dataset = self.dataloader.dataset
        return {
            role: FeatureKey(weights, config, videos_hash(getattr(dataset, role))) for role in ROLES
        }

    def _features(self, model: BaseModel, role: str, key: FeatureKey) -> FeatureSet:
        dataset = self.dataloader.dataset
        videos = getattr(dataset, role)
        first = 0 if role == "query" else len(dataset.query)
        how = Extraction(
            layer="backbone",
            batch_size=self.dataloader.batch_size,
            num_workers=self.dataloader.num_workers,
            clips_per_pass=self.clips_per_pass,
            shard_videos=self.shard_videos,
            half_precision=self.fp16,
        )
        return extract_features(
            model,
            dataset,
            range(first, first + len(videos)),
            [video_name(videos, i) for i in range(len(videos))],
            self.cache_dir / key.digest,
            key,
            how,
        )


def _labels(videos: BaseDataset) -> np.ndarray:
    labels = true_labels(videos)
    if labels is None:
        raise ValueError(
            f"An evaluation needs exactly one class for each video, but some of "
            f"{videos.ann_file} have none or several: correct the annotation file."
        )
    return labels
