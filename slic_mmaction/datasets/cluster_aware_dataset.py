"""The training samples of SLIC, from the videos of any MMAction2 dataset."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset, Compose
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..decoding import UnreadableVideoError
from ..transforms.view_frames import ANCHOR, FAST_POSITIVE, POSITIVE, SHUFFLED_ANCHOR
from .bad_videos import BadVideos
from .label_store import PseudoLabelStore
from .videos import DistinctVideos, build_videos, make_clips, video_info

OF_POSITIVE = (POSITIVE, FAST_POSITIVE)


def sample_seed(seed: int, epoch: int, index: int, attempt: int = 0) -> int:
    """Mix a run's seed, an epoch, a sample's index and an attempt into one 63-bit seed."""
    state = np.random.SeedSequence((seed, epoch, index, attempt)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@contextmanager
def seeded_draws(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's global generators, and restore them at the end.

    Every transform then draws the same for the same sample in the same epoch, whatever the number
    of workers and however often a run is resumed. With ``num_workers=0``, restoring keeps the
    main process's own draws unchanged.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(np.array([seed & 0xFFFFFFFF, seed >> 32], dtype=np.uint32))
        torch.random.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


@DATASETS.register_module()
class ClusterAwareDataset(Dataset):
    """Dataset of an anchor, a positive and a second anchor view of each video (SLIC, section 3).

    The positive comes from the same video with probability ``p_same_video``, and otherwise from
    another video of the same cluster. Each video of a sample is opened once: the pipeline runs
    on all views of a video together, and the key ``views`` names them. True labels never enter
    the pipeline.

    A sample with a video that :class:`OpenVideo` or :class:`DecodeFrames` cannot read is
    replaced by a sample of the next video; see :class:`BadVideos`.

    A sample depends on the run's seed, the epoch, its index and the pseudo-labels only.
    :class:`ExactResumeHook` sets the first two (it is one of the ``default_hooks`` of all
    configs), and :class:`PseudoLabelHook` sets the labels.

    Args:
        dataset: An MMAction2 dataset or its config, which may be wrapped by ``ConcatDataset`` and
            similar classes. Its own pipeline is not used. A video that is listed more than once
            counts as one video.
        pipeline: Transforms from file name to packed inputs, with :class:`SampleViewFrames`
            instead of ``SampleFrames``.
        p_same_video: Probability p of a positive from the same video. The default is the paper's
            for UCF101; for Kinetics-400 it is 0.5.
        max_bad_ratio: Share of unreadable videos above which the run stops.
        extra_views: Further views for losses that need them: ``'fast_positive'`` and
            ``'shuffled_anchor'`` (see :class:`SampleViewFrames`).

    Raises:
        ValueError: If a value is not in 0..1, a view is unknown, or the annotation file is empty
            or wrong.

    Examples:
        >>> from mmaction.registry import DATASETS
        >>> videos = dict(type="VideoDataset", ann_file="train.txt")
        >>> steps = ["OpenVideo", "SampleViewFrames", "DecodeFrames", "ClipAugment"]
        >>> pack = [dict(type="FormatShape", input_format="NCTHW"), dict(type="PackActionInputs")]
        >>> dataset = DATASETS.build(dict(type="ClusterAwareDataset", dataset=videos,
        ...     pipeline=[dict(type=step) for step in steps] + pack))
        >>> dataset[0]["inputs"].shape  # (V, C, T, H, W): anchor, positive, second anchor view
        torch.Size([3, 3, 16, 128, 128])
    """

    def __init__(
        self,
        dataset: dict | BaseDataset,
        pipeline: Sequence[dict | Callable],
        p_same_video: float = 0.2,
        max_bad_ratio: float = 0.01,
        extra_views: Sequence[str] = (),
    ) -> None:
        if not 0 <= p_same_video <= 1:
            raise ValueError(
                f"ClusterAwareDataset needs p_same_video in 0..1, but got {p_same_video}."
            )
        unknown = set(extra_views) - {FAST_POSITIVE, SHUFFLED_ANCHOR}
        if unknown:
            raise ValueError(
                f"ClusterAwareDataset's extra_views are a list of {FAST_POSITIVE!r} and "
                f"{SHUFFLED_ANCHOR!r}, but got {extra_views!r}."
            )
        self.p_same_video = p_same_video
        self.views = (ANCHOR, POSITIVE, ANCHOR, *extra_views)
        self.videos = DistinctVideos(build_videos(dataset))
        self.pipeline = Compose(pipeline)
        self.store = PseudoLabelStore(len(self.videos))
        self.bad_videos = BadVideos(self.videos, max_bad_ratio)

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped dataset."""
        return self.videos.metainfo

    def __len__(self) -> int:
        return len(self.videos.of_entry)

    def __getitem__(self, index: int) -> dict:
        """Draw the sample of entry ``index`` of the list of videos in the current epoch.

        Returns:
            ``inputs`` (V, C, T, H, W), or (V * T, C, H, W) with ``FormatShape('NCHW')``, in which
            the views are anchor, positive, second anchor and then the extra ones; and
            ``data_samples`` with ``pseudo_label`` (1,), ``video_indices`` (V,) and the metainfo
            ``draw_seed``.

        Raises:
            TooManyBadVideosError: If more videos than allowed cannot be read.
        """
        video = int(self.videos.of_entry[index])
        for attempt in range(len(self.videos)):
            # Each attempt has its own seed. The draws of a failed attempt then do not matter, nor
            # whether it was skipped because the video was known to be unreadable.
            seed = sample_seed(self.store.seed, self.store.epoch, index, attempt)
            try:
                return self._draw((video + attempt) % len(self.videos), seed)
            except UnreadableVideoError as error:
                last = error
        raise last

    def _draw(self, index: int, seed: int) -> dict:
        with seeded_draws(seed):
            same_video = np.random.random() < self.p_same_video
            partner = index if same_video else self.store.draw_positive(index)
            sample = self._sample(index, partner)
        element = sample["data_samples"]
        element.set_field(self.store.labels[index : index + 1].clone(), "pseudo_label")
        videos = [partner if view in OF_POSITIVE else index for view in self.views]
        element.set_field(torch.tensor(videos), "video_indices")
        element.set_metainfo(dict(draw_seed=seed))
        return sample

    def _sample(self, index: int, partner: int) -> dict:
        """Run the pipeline on all views, on those of each video together."""
        if partner == index:
            return self._clips(index, self.views)
        own = tuple(view for view in self.views if view not in OF_POSITIVE)
        others = tuple(view for view in self.views if view in OF_POSITIVE)
        sample, positive = self._clips(index, own), self._clips(partner, others)
        # A view of a 2D network has several rows, one for each frame.
        sample["inputs"] = join_views(
            self._in_order(sample["inputs"].chunk(len(own)), positive["inputs"].chunk(len(others)))
        )
        element = sample["data_samples"]
        # Values that transforms have packed for each view (FlowView, ClipAugment).
        for key in ("modalities", "clip_draws"):
            if key in element:
                views = self._in_order(element.get(key), positive["data_samples"].get(key))
                element.set_metainfo({key: views})
        return sample

    def _in_order(self, of_anchor: Sequence, of_positive: Sequence) -> list:
        """Merge the values for the views of two videos in the order of the views."""
        mine, others = iter(of_anchor), iter(of_positive)
        return [next(others if view in OF_POSITIVE else mine) for view in self.views]

    def _clips(self, index: int, views: tuple[str, ...]) -> dict:
        results = dict(video_info(self.videos, index), views=views)
        with self.bad_videos.reading(index):
            sample = make_clips(self.pipeline, results, len(views))
        self.bad_videos.note_lost(index, results)
        return sample


def require_cluster_aware(loader: DataLoader, user: object) -> ClusterAwareDataset:
    """Return the dataset of a training loader.

    Raises:
        TypeError: If it is not a ClusterAwareDataset, which ``user`` (a hook) needs.
    """
    dataset = loader.dataset
    if not isinstance(dataset, ClusterAwareDataset):
        raise TypeError(
            f"{type(user).__name__} needs train_dataloader.dataset of type ClusterAwareDataset, "
            f"but it is {type(dataset).__name__}."
        )
    return dataset


def join_views(clips: Sequence[Tensor]) -> Tensor:
    """Concatenate clips (V_i, C, T, H, W) or (V_i * T, C, H, W) along their first dimension.

    ``FormatShape`` only transposes its view of the frames: in memory, channels come last. The
    clips are concatenated in this memory order, without a transposing copy.
    """
    return torch.cat([clip.movedim(1, -1) for clip in clips]).movedim(-1, 1)
