"""A trained network with its preprocessing in one file, to embed clips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from torch import Tensor
from torch.utils.data import DataLoader

from ..durable_file import durable_file
from ..evaluation.extract import check_weights, clip_features
from ..evaluation.fingerprint import weights_hash
from ..models.evaluation_mode import evaluation_mode
from ..preparation.workers import starting_workers, worker_context
from .network_config import read_config, read_pipeline, without_pretraining
from .windows import Chunk, Sampling, WindowClips

MODEL_FILE = "model.pth"
WORK_DIR = "training"  # in the folder of `slic pretrain`
_CLIPS_PER_PASS = 32
_FEW = 8  # videos


class Network:
    """A recognizer of MMAction2 with its evaluation transforms and frame sampling.

    Args:
        model: Config of the recognizer.
        sampling: Sampling of the frames of a clip.
        transforms: Configs of the transforms from decoded frames to packed inputs.
        layer: ``'projection'``, the output of :class:`SLICHead`, or ``'backbone'``, the pooled
            feature.

    Attributes:
        digest: Short hash of weights, transforms, sampling and layer. Vectors are comparable if
            their digests are equal.

    Examples:
        >>> from pathlib import Path
        >>> from slic_mmaction.collection.network import Network
        >>> network = Network.from_config("slic.py", "weights.pth")
        >>> network.span(Path("videos/walk_1.mp4"), start=0.5, end=1.5).shape
        (8,)
    """

    def __init__(
        self, model: Mapping, sampling: Sampling, transforms: Sequence[Mapping], layer: str
    ) -> None:
        self.config = dict(model)
        self.sampling = sampling
        self.transforms = [dict(step) for step in transforms]
        self.layer = layer
        with DefaultScope.overwrite_default_scope("mmaction"):
            self.model = MODELS.build(without_pretraining(model)).eval()
        self.digest = ""

    @classmethod
    def from_config(cls, config: str | Path | Config, checkpoint: str | Path) -> Network:
        """Load a network from a config for pretraining, evaluation or recognition, and its weights.

        Raises:
            FileNotFoundError: If there is no config or checkpoint.
            ValueError: If the config is not valid or has no evaluation pipeline, or the checkpoint
                lacks weights of the network.
        """
        cfg = config if isinstance(config, Config) else read_config(Path(config))
        sampling, transforms = read_pipeline(cfg)
        model = cfg.model.to_dict()
        head = model.get("cls_head") or {}
        is_slic = str(head.get("type", "")).rsplit(".", 1)[-1] == "SLICHead"
        layer = head.get("feature", "projection") if is_slic else "backbone"
        network = cls(model, sampling, transforms, layer)
        check_weights(network.model, str(checkpoint), layer)
        load_checkpoint(network.model, str(checkpoint), map_location="cpu", logger="silent")
        return network._loaded()

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Load a file of :meth:`save`, without running code from it.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If it is another file.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no network at {path}.")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            about = content["network"]
        except Exception as error:  # whatever torch says of a file that is something else
            raise ValueError(
                f"{path} is not a network that `slic pretrain` or `slic index` wrote: give a run's "
                "folder, or a config and its checkpoint."
            ) from error
        network = cls(
            about["model"], Sampling(*about["sampling"]), about["transforms"], about["layer"]
        )
        network.model.load_state_dict(content["state_dict"])
        return network._loaded()

    @classmethod
    def find(cls, source: str | Path, checkpoint: str | Path | None = None) -> Network:
        """Load a network from a run's folder, a file of :meth:`save`, or a config and a checkpoint.

        Raises:
            FileNotFoundError: If it does not exist.
        """
        source = Path(source)
        if checkpoint is not None:
            return cls.from_config(source, checkpoint)
        if source.is_dir() and not (source / MODEL_FILE).is_file():
            if (source / WORK_DIR / "last_checkpoint").is_file():
                source /= WORK_DIR  # a run of `slic pretrain` that was stopped
            configs = sorted(source.glob("*.py"))
            last = source / "last_checkpoint"
            if len(configs) != 1 or not last.is_file():
                raise FileNotFoundError(
                    f"{source} holds neither a {MODEL_FILE} nor one config with a last_checkpoint: "
                    "give a run's folder, or a config and a checkpoint."
                )
            return cls.from_config(configs[0], source / Path(last.read_text().strip()).name)
        if source.suffix == ".py":
            raise ValueError(f"{source} is a config: give a checkpoint with it.")
        return cls.load(source / MODEL_FILE if source.is_dir() else source)

    def save(self, path: str | Path) -> None:
        """Write weights and settings to a file atomically."""
        about = dict(
            model=self.config,
            sampling=tuple(self.sampling),
            transforms=self.transforms,
            layer=self.layer,
        )
        content = dict(network=about, state_dict=self.model.state_dict())
        with durable_file(path) as file:
            torch.save(content, file)

    def _loaded(self) -> Network:
        settings = json.dumps([self.sampling, self.transforms, self.layer], sort_keys=True)
        content = weights_hash(self.model, self.layer) + settings
        self.digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        if torch.cuda.is_available():
            self.model.cuda()
        return self

    def windows(
        self, folder: Path, paths: Sequence[str], window: float, stride: float, num_workers: int
    ) -> Iterator[tuple[str, list[tuple[float, float]], np.ndarray, Chunk]]:
        """Embed all windows of videos, in any order of the videos.

        Args:
            folder: Folder of the videos.
            paths: Paths relative to the folder.
            window: Length of a window in seconds.
            stride: Time from the start of one window to the next, in seconds.
            num_workers: Number of decoding processes; 0 decodes in this one.

        Yields:
            A path, start and end of its W windows in seconds, their vectors (W, D) float32, and
            the last chunk, whose ``error`` is the reason why a video has no windows.

        Raises:
            ValueError: If a vector is not finite.
        """
        clips = WindowClips(folder, paths, self.sampling, self.transforms, window, stride)
        if num_workers == 0 or len(paths) < _FEW:  # done before worker processes have started
            yield from self._embed(clips)
            return
        # LanceDB has threads, so that a forked process might wait for a lock for ever.
        loader = DataLoader(
            clips,
            batch_size=None,
            num_workers=num_workers,
            multiprocessing_context=worker_context(WindowClips.__module__),
        )
        with starting_workers():
            chunks = iter(loader)
        yield from self._embed(chunks)

    def span(self, path: Path, start: float | None = None, end: float | None = None) -> np.ndarray:
        """Embed a video, or its part between two times in seconds, as a vector (D,) float32.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            ValueError: If it has no such part.
        """
        span = (start or 0.0, float("inf") if end is None else end)
        clips = WindowClips(path.parent, [path.name], self.sampling, self.transforms, span=span)
        ((_, _, vectors, last),) = self._embed(clips)
        if last.error:
            raise ValueError(last.error)
        return vectors[0]

    def _embed(
        self, chunks: Iterable[Chunk]
    ) -> Iterator[tuple[str, list[tuple[float, float]], np.ndarray, Chunk]]:
        features: dict[str, list[Tensor]] = {}
        waiting: list[Chunk] = []
        with evaluation_mode(self.model):
            for chunk in chunks:
                waiting.append(chunk)
                if sum(len(each.clips) for each in waiting) >= _CLIPS_PER_PASS:
                    yield from self._finish(waiting, features)
                    waiting = []
            yield from self._finish(waiting, features)

    def _finish(
        self, chunks: list[Chunk], features: dict[str, list[Tensor]]
    ) -> Iterator[tuple[str, list[tuple[float, float]], np.ndarray, Chunk]]:
        full = [chunk for chunk in chunks if chunk.clips]
        rows: Iterator[Tensor] = iter(())
        if full:
            inputs = [torch.cat(chunk.clips) for chunk in full]
            batch = dict(inputs=inputs, data_samples=[chunk.sample for chunk in full])
            rows = iter(clip_features(self.model, batch, self.layer, 2 * _CLIPS_PER_PASS))
        for chunk in chunks:
            own = features.setdefault(chunk.path, [])
            if chunk.clips:
                # The frames of a 2D network without num_segments are clips of their own.
                own.extend(next(rows).unflatten(0, (len(chunk.clips), -1)).mean(dim=1))
            if chunk.windows is None and not chunk.error:
                continue
            own = features.pop(chunk.path)
            if chunk.error or chunk.windows is None:
                yield chunk.path, [], np.empty((0, 0), np.float32), chunk
                continue
            vectors = torch.stack(
                [torch.stack([own[i] for i in w[2]]).mean(0) for w in chunk.windows]
            )
            if not vectors.isfinite().all():
                raise ValueError(
                    f"The vector of {chunk.path} is not finite: the network has diverged."
                )
            yield chunk.path, [w[:2] for w in chunk.windows], vectors.numpy(), chunk
