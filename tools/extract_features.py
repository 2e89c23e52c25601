"""Extract and store the features of all clips of the videos of a config's test set.

    python tools/extract_features.py CONFIG CHECKPOINT --out features/ucf101
    python tools/extract_features.py CONFIG CHECKPOINT --out features/ucf101 --layer backbone --npy
    python -m torch.distributed.run --nproc_per_node 8 tools/extract_features.py CONFIG \
        CHECKPOINT --out features/ucf101 --launcher pytorch

The config may be of any recognizer of MMAction2, 3D or 2D. With a RetrievalDataset, queries are
written to OUT/query and the gallery to OUT/gallery; with other datasets, all videos to OUT. The
same command continues a killed run. In Python:

    from slic_mmaction.evaluation import load_features
    features = load_features("features/ucf101/gallery")
    features.names, features[0], features.means()  # paths, (clips, D), (N, D)
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from slic_mmaction.datasets.videos import true_labels
from slic_mmaction.durable_file import durable_file
from slic_mmaction.evaluation import extract_features
from slic_mmaction.evaluation.extract import check_weights, parts_of


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config with a model and a test_dataloader")
    parser.add_argument("checkpoint", help="checkpoint of the model")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the features, shared by all ranks"
    )
    parser.add_argument(
        "--layer",
        choices=("projection", "backbone"),
        help="feature to store; default: that of the SLICHead, or the pooled backbone feature",
    )
    parser.add_argument(
        "--npy",
        action="store_true",
        help="also write each video's mean as OUT/NAME.npy and classes as OUT/NAME_labels.npy, "
        "for tools/analysis/cluster_embeddings.py",
    )
    parser.add_argument(
        "--clips-per-pass", type=int, default=64, help="largest number of clips per forward pass"
    )
    parser.add_argument("--shard-videos", type=int, default=1024, help="number of videos per file")
    parser.add_argument("--fp16", action="store_true", help="run the network under autocast")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE")
    parser.add_argument("--launcher", choices=("none", "pytorch", "slurm", "mpi"), default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    args = parser.parse_args()
    if min(args.clips_per_pass, args.shard_videos) < 1:
        parser.error("--clips-per-pass and --shard-videos must be at least 1")
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


def build_runner(args: argparse.Namespace) -> Runner:
    """Build a Runner with the weights of the checkpoint.

    Raises:
        ValueError: If the config has no test set.
    """
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    cfg.work_dir = str(args.out / "logs")
    cfg.merge_from_dict(args.cfg_options or {})
    if not cfg.get("test_dataloader"):
        raise ValueError(f"{args.config} has no test_dataloader: give a config for a test.")
    runner = Runner(
        model=cfg.model,
        work_dir=cfg.work_dir,
        launcher=cfg.launcher,
        env_cfg=cfg.get("env_cfg", dict(dist_cfg=dict(backend="nccl"))),
        default_scope=cfg.get("default_scope", "mmaction"),
        default_hooks=dict(logger=None, checkpoint=None),
        log_level=cfg.get("log_level", "INFO"),
        cfg=cfg,
    )
    runner.load_checkpoint(args.checkpoint)
    return runner


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an ``.npy`` file atomically."""
    with durable_file(path) as file:
        np.save(file, array)


def run(args: argparse.Namespace) -> None:
    """Extract all parts of the test set.

    Raises:
        FileNotFoundError: If an input is missing.
        ValueError: If an input cannot be used.
    """
    runner = build_runner(args)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    layer = args.layer or getattr(model.cls_head, "feature", "backbone")
    check_weights(model, args.checkpoint, layer)
    loader = runner.build_dataloader(runner.cfg.test_dataloader)
    found = extract_features(
        model,
        loader,
        runner.cfg,
        lambda name, key: args.out / name,
        layer,
        args.clips_per_pass,
        args.shard_videos,
        args.fp16,
    )
    if not is_main_process():
        return
    for name, videos in parts_of(loader.dataset).items():
        features = found[name]
        counts = features.num_clips
        clips = counts[0] if counts.min() == counts.max() else f"{counts.mean():.1f} (mean)"
        print(f"{args.out / name}: {len(features)} videos x {clips} clips x {features.dim}")
        if args.npy:
            write_array(args.out / f"{name or 'videos'}.npy", features.means().numpy())
            labels = true_labels(videos)
            if labels is not None:
                write_array(args.out / f"{name or 'videos'}_labels.npy", labels)


def main() -> None:
    """Run the tool. On bad input, print one sentence and exit with code 2."""
    try:
        run(parse_args())
    except (OSError, ValueError) as error:
        print(f"{Path(__file__).name}: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
