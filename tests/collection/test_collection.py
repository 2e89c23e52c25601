"""An index of real, small videos: built, changed, killed, searched, grouped, exported."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from slic_mmaction.collection import Collection, update
from slic_mmaction.collection import windows as windows_module
from slic_mmaction.collection.network import Network
from slic_mmaction.collection.store import WindowTable
from slic_mmaction.collection.windows import Sampling
from slic_mmaction.decoding import VideoReader, open_reader

from ..conftest import write_video

WINDOW, STRIDE = 0.4, 0.2


@pytest.fixture
def network(tiny_config: Callable[..., Config], tmp_path: Path) -> Network:
    return make_network(tiny_config(), tmp_path / "weights.pth", seed=0)


def make_network(cfg: Config, checkpoint: Path, seed: int) -> Network:
    torch.manual_seed(seed)

    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return Network.from_config(cfg, checkpoint)


@pytest.fixture
def videos(video_set: Path, tmp_path: Path) -> Path:
    """Six videos; one has a name that breaks what does not quote."""
    folder = tmp_path / "videos"
    (folder / "sub").mkdir(parents=True)
    for i in range(5):
        shutil.copy(video_set / f"train_{i + 1}.mp4", folder / f"{i}.mp4")
    shutil.copy(video_set / "test_0.mp4", folder / "sub" / "it's \"<b>\n,é.mp4")
    return folder


def build(folder: Path, out: Path, network: Network | None = None) -> tuple[int, ...]:
    changes = Collection.index(folder, out, network, WINDOW, STRIDE, num_workers=1)
    return changes[:4]


def test_vectors_are_means_of_what_the_network_says_of_clips(
    videos: Path, tmp_path: Path, network: Network
) -> None:
    """By a computation of its own; through the file of the network, too."""
    assert build(videos, tmp_path / "index", network) == (6, 0, 0, 0)
    found = Collection(tmp_path / "index")
    model, sampling = network.model, network.sampling
    assert sampling == Sampling(4, 1)
    for path in ("3.mp4", "sub/it's \"<b>\n,é.mp4"):
        reader = open_reader(str(videos / path))
        rows = [i for i, name in enumerate(found.paths) if name == path]
        duration = reader.num_frames / 25
        assert found.column("end")[rows[-1]] == pytest.approx(duration)
        for row in rows:
            first, last = (found.column(name)[row] * 25 for name in ("start", "end"))
            vectors = []
            for clip in sampling.clips(first, last, reader.num_frames):
                small = np.stack([cv2.resize(frame, (16, 16)) for frame in reader.frames(clip)])
                mean, std = (getattr(model.data_preprocessor, n).flatten() for n in ("mean", "std"))
                clips = (torch.from_numpy(small) - mean) / std
                with torch.no_grad():
                    feats = model.extract_feat(clips.permute(3, 0, 1, 2)[None, None])[0]
                    vectors.append(model.cls_head(feats)[0])
            expected = torch.stack(vectors).mean(0).numpy()
            np.testing.assert_allclose(found.vectors[row], expected, rtol=1e-4, atol=1e-5)
    again = found.network
    assert again.digest == network.digest and again.transforms == network.transforms
    for (name, tensor), other in zip(
        network.model.state_dict().items(), again.model.state_dict().values()
    ):
        assert torch.equal(tensor, other), name


def test_only_what_changed_is_embedded(
    videos: Path, tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "index"
    embedded: list[str] = []
    windows = Network.windows

    def noted(self, folder, paths, *rest):
        embedded.extend(paths)
        return windows(self, folder, paths, *rest)

    monkeypatch.setattr(Network, "windows", noted)
    (videos / "broken.mp4").write_bytes(b"nothing")
    (videos / "notes.txt").write_text("x")
    changes = Collection.index(videos, out, network, WINDOW, STRIDE)
    assert changes[:4] == (6, 0, 0, 0) and dict(changes.others) == {".txt": 1}
    assert list(changes.unreadable) == ["broken.mp4"] and len(embedded) == 7
    embedded.clear()
    assert build(videos, out) == (0, 0, 0, 6) and not embedded  # nor the broken one again
    before = Collection(out)

    shutil.copy(videos / "4.mp4", videos / "0.mp4")  # changed
    (videos / "sub" / "it's \"<b>\n,é.mp4").unlink()
    write_video(videos / "new.mp4", 30, seed=7)
    shutil.copy(videos / "1.mp4", videos / "broken.mp4")  # mended
    assert build(videos, out) == (2, 1, 1, 4)
    assert sorted(embedded) == ["0.mp4", "broken.mp4", "new.mp4"]
    after = Collection(out)
    assert set(after.paths) == {f"{i}.mp4" for i in range(5)} | {"new.mp4", "broken.mp4"}
    for name in ("1.mp4", "2.mp4"):
        rows = [[p == name for p in each.paths] for each in (before, after)]
        assert np.array_equal(before.vectors[rows[0]], after.vectors[rows[1]])
    vectors = {name: after.vectors[[p == name for p in after.paths]] for name in set(after.paths)}
    assert np.allclose(vectors["0.mp4"], vectors["4.mp4"])
    assert np.allclose(vectors["broken.mp4"], vectors["1.mp4"])


def test_a_killed_run_changes_nothing_that_is_seen_and_goes_on(
    videos: Path, tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "index"
    monkeypatch.setattr(update, "_SECONDS_BETWEEN_WRITES", 0.0)
    windows, count = Network.windows, 3

    def killed(self, *args):
        for number, found in enumerate(windows(self, *args)):
            if number == count:
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(Network, "windows", killed)
    with pytest.raises(KeyboardInterrupt):
        build(videos, out, network)
    with pytest.raises(FileNotFoundError, match="is not finished: run the command"):
        Collection(out)
    assert build(videos, out) == (3, 0, 0, 3)  # of six, three had been kept
    whole = Collection(out)
    (videos / "0.mp4").unlink()
    for i in range(1, 5):
        os.utime(videos / f"{i}.mp4", (1, 1))
    with pytest.raises(KeyboardInterrupt):
        build(videos, out)
    during = Collection(out)
    assert during.rows.equals(whole.rows)
    count = 100
    build(videos, out)
    assert "0.mp4" not in Collection(out).paths and len(set(Collection(out).paths)) == 5


def test_clustering_loses_no_update(
    videos: Path, tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "index"
    build(videos, out, network)
    opened = Collection(out)
    assert len(set(opened.paths)) == 6
    shutil.copy(videos / "1.mp4", videos / "new.mp4")
    build(videos, out)
    assert len(opened.cluster()) == len(opened.paths)
    assert "new.mp4" in opened.paths and "new.mp4" in Collection(out).paths

    shutil.copy(videos / "1.mp4", videos / "newer.mp4")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(WindowTable, "publish", Mock(side_effect=KeyboardInterrupt))
        build(videos, out)
    with pytest.raises(ValueError, match="is not finished: run `slic index` again before"):
        Collection(out).cluster()
    assert build(videos, out) == (0, 0, 0, 8)  # the newest was kept
    Collection(out).cluster()


def test_other_networks_folders_and_processes_are_refused(
    videos: Path, video_set: Path, tmp_path: Path, network: Network, tiny_config: Callable
) -> None:
    out = tmp_path / "index"
    with pytest.raises(FileNotFoundError, match="is a new index: give its network"):
        build(videos, out)
    build(videos, out, network)
    other = make_network(tiny_config(), tmp_path / "other.pth", seed=1)
    with pytest.raises(ValueError, match="vectors of another network, which must not be mixed"):
        build(videos, out, other)
    with pytest.raises(ValueError, match=f"is the index of {videos}, not of {video_set}"):
        build(video_set, out, network)
    with pytest.raises(ValueError, match=r"has a window of 0\.4 s, not of 3 s: choose another"):
        Collection.index(videos, out, window=3.0)
    assert Collection.index(videos, out).unchanged == 6
    with update.alone(out), pytest.raises(BlockingIOError, match="Another process"):
        build(videos, out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"holds no videos \(skipped: nothing\)"):
        build(tmp_path / "empty", tmp_path / "none", network)
    with pytest.raises(FileNotFoundError, match="is not an index of videos"):
        Collection(tmp_path)


def test_a_folder_that_was_moved_is_gone_on_with(
    videos: Path, video_set: Path, tmp_path: Path, network: Network
) -> None:
    out = tmp_path / "index"
    build(videos, out, network)
    moved = videos.rename(tmp_path / "moved")
    with pytest.raises(ValueError, match=f"is the index of {videos}, not of {video_set}"):
        build(video_set, out)  # another folder, while the disk of the videos is not mounted
    (moved / "0.mp4").unlink()
    assert build(moved, out) == (0, 0, 1, 5)
    assert Collection(out).folder == moved


def test_a_folder_that_was_moved_and_linked_is_gone_on_with(
    videos: Path, tmp_path: Path, network: Network
) -> None:
    out = tmp_path / "index"
    build(videos, out, network)
    moved = videos.rename(tmp_path / "moved")
    videos.symlink_to(moved)
    for folder in (videos, moved):
        own = Collection(out).windows_of(folder / "3.mp4")
        assert own is not None and {Collection(out).paths[row] for row in own} == {"3.mp4"}
    assert build(videos, out) == (0, 0, 0, 6)
    assert Collection(out).folder == moved


def test_a_drive_that_drops_out_is_tried_again(
    videos: Path, tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def drops_out(path: str) -> VideoReader:
        opened.append(path)
        if len(opened) == 4:
            videos.rename(tmp_path / "away")
        return open_reader(path)

    (videos / "bad.mp4").write_bytes(b"bad")
    monkeypatch.setattr(windows_module, "open_reader", drops_out)
    changes = Collection.index(videos, tmp_path / "index", network, WINDOW, STRIDE)
    assert changes.added == 3 and len(changes.unreadable) == 4
    (tmp_path / "away").rename(videos)
    for added in (3, 0):
        changes = Collection.index(videos, tmp_path / "index")
        assert changes.added == added and list(changes.unreadable) == ["bad.mp4"]
    assert len(opened) == 7 + 4  # the bad one not once more


def test_a_date_far_away(videos: Path, tmp_path: Path, network: Network) -> None:
    try:
        os.utime(videos / "0.mp4", (1e10, 1e10))  # in the year 2286
        assert os.stat(videos / "0.mp4").st_mtime == 1e10
    except (OSError, AssertionError):
        pytest.skip("this file system has no such dates")
    out = tmp_path / "index"
    assert build(videos, out, network) == (6, 0, 0, 0)
    assert build(videos, out) == (0, 0, 0, 6)
    assert Collection(out).duplicates() == Collection(out).duplicates()


def test_a_name_that_is_not_utf8_is_reported(
    videos: Path, tmp_path: Path, network: Network
) -> None:
    try:
        os.rename(videos / "0.mp4", os.fsencode(videos) + b"/bad\xff.mp4")
    except OSError:
        pytest.skip("this file system has no such names")
    for _ in range(2):
        changes = Collection.index(videos, tmp_path / "index", network, WINDOW, STRIDE)
        assert changes.unreadable == {"bad\udcff.mp4": "its name is not UTF-8: rename it"}


def test_damage_is_one_sentence(videos: Path, tmp_path: Path, network: Network) -> None:
    out = tmp_path / "index"
    build(videos, out, network)
    settings = (out / "collection.json").read_text()
    for text in ("", "{", "[]", '{"format": 1}'):
        (out / "collection.json").write_text(text)
        with pytest.raises(ValueError, match=r"collection\.json is damaged: delete the index"):
            Collection(out)
    (out / "collection.json").write_text(settings)
    for file in (out / "windows.lance" / "data").iterdir():
        file.write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match=r"cannot be read\. If its files are damaged"):
        _ = Collection(out).rows
    with pytest.raises(ValueError, match=r"cannot be read\. If its files are damaged"):
        build(videos, out)


def test_search(videos: Path, tmp_path: Path, network: Network) -> None:
    out = tmp_path / "index"
    shutil.copy(videos / "2.mp4", videos / "copy.mp4")
    build(videos, out, network)
    found = Collection(out)
    for query in ("2.mp4", videos / "2.mp4"):
        hits = found.search(query, top=3)
        assert hits[0].path == "copy.mp4" and hits[0].cosine > 0.95
        assert "2.mp4" not in [hit.path for hit in hits]
    shutil.copy(videos / "2.mp4", tmp_path / "elsewhere.mp4")
    outside = found.search(tmp_path / "elsewhere.mp4", top=3)
    assert {outside[0].path, outside[1].path} == {"2.mp4", "copy.mp4"}
    assert outside[0].path == "2.mp4"  # equal ones by path

    own = [i for i, path in enumerate(found.paths) if path == "4.mp4"]
    starts = found.column("start")
    hit = found.search("4.mp4", 1, start=0.25, end=0.5)[0]
    inside = [i for i in own if 0.25 <= starts[i] + WINDOW / 2 <= 0.5]
    vector = found.vectors[inside].mean(axis=0)
    left_out = np.isin(np.arange(len(found.paths)), own)
    assert inside and hit == found.searcher.search(vector, 1, left_out)[0]
    assert found.search(found.vectors[own[0]], 1)[0].path == "4.mp4"
    with pytest.raises(FileNotFoundError, match=r"There is no video nowhere\.mp4"):
        found.search("nowhere.mp4")
    with pytest.raises(FileNotFoundError, match="There is no video"):
        found.search(tmp_path)
    for query in ("2.mp4", tmp_path / "elsewhere.mp4"):
        with pytest.raises(ValueError, match="Nothing lies between start 5 s and end 2 s"):
            found.search(query, start=5, end=2)
    with pytest.raises(ValueError, match=r"2\.mp4 has no moment after 50 s: it ends at"):
        found.search("2.mp4", start=50)
    (tmp_path / "bad.mp4").write_bytes(b"bad")
    with pytest.raises(ValueError, match="cannot be opened"):
        found.search(tmp_path / "bad.mp4")


def test_clusters_are_kept_and_new_videos_find_theirs(
    videos: Path, tmp_path: Path, network: Network
) -> None:
    out = tmp_path / "index"
    build(videos, out, network)
    found = Collection(out)
    with pytest.raises(ValueError, match="has no clusters yet"):
        found.assign(videos)
    for name in ("Nonsense", "json"):  # the second is a module
        with pytest.raises(ValueError, match=f"There is no clusterer {name}: choose FINCH"):
            found.cluster(dict(type=name))
    with pytest.raises(
        ValueError, match=r"^DBSCAN has no option level, but has eps, min_samples, metric\.$"
    ):
        found.cluster(dict(type="DBSCAN", level=3))
    labels = found.cluster(dict(type="FINCH", num_clusters=3))
    again = Collection(out)
    assert np.array_equal(again.column("cluster"), labels) and set(labels) == {0, 1, 2}
    assert np.array_equal(found.column("cluster"), labels)
    (videos / "bad.mp4").write_bytes(b"bad")
    assigned = {row.path: row for row in again.assign(videos)}
    assert len(assigned) == 7 and "cannot be opened" in assigned["bad.mp4"].error
    for path, row in assigned.items():
        if path != "bad.mp4":
            own = labels[[p == path for p in again.paths]]
            assert row.known and row.nearest == path and row.cluster in own
    default = again.cluster()
    assert len(set(default.tolist())) < len(set(again.paths))  # joins videos, not only windows
    # New windows have none.
    write_video(videos / "new.mp4", 30, seed=7)
    build(videos, out)
    third = Collection(out)
    new = np.array([path == "new.mp4" for path in third.paths])
    assert (third.column("cluster")[new] == -1).all()
    assert np.array_equal(third.column("cluster")[~new], default)


def test_export(videos: Path, tmp_path: Path, network: Network) -> None:
    import pyarrow.parquet

    build(videos, tmp_path / "index", network)
    found = Collection(tmp_path / "index")
    assert found.export(tmp_path / "a.parquet") == [tmp_path / "a.parquet"]
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").equals(found.rows)
    found.export(tmp_path / "a.csv")
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == found.paths
    assert [float(row["start"]) for row in rows] == found.column("start").tolist()
    array, names = found.export(tmp_path / "a.npy")
    assert np.array_equal(np.load(array), found.vectors)
    lines = names.read_text().splitlines()
    assert len(lines) == len(found.paths) and lines[0].split("\t")[0] == "0.mp4"
    with pytest.raises(ValueError, match=r"must end in \.parquet, \.csv or \.npy"):
        found.export(tmp_path / "a.json")


def test_one_video_on_a_read_only_disk(video_set: Path, tmp_path: Path, network: Network) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(video_set / "train_5.mp4", folder)
    for path in (folder / "train_5.mp4", folder):
        path.chmod(0o555)
    assert build(folder, tmp_path / "index", network) == (1, 0, 0, 0)
    assert Collection(tmp_path / "index").search("train_5.mp4") == []


@pytest.mark.parametrize(
    ("backbone", "head", "pipeline", "expected"),
    [
        (
            dict(type="ResNet", depth=18, pretrained="torchvision://resnet18"),
            dict(type="TSNHead", in_channels=512, num_classes=3, spatial_type="avg"),
            [dict(type="SampleFrames", clip_len=1, frame_interval=1, num_clips=3)],
            Sampling(3, None, separate=True),
        ),
        (
            dict(type="ResNet3d", depth=18, pretrained2d=False, base_channels=4, norm_eval=False),
            dict(type="I3DHead", in_channels=32, num_classes=3, spatial_type="avg"),
            [dict(type="UniformSample", clip_len=8, num_clips=2, test_mode=True)],
            Sampling(8, None),
        ),
    ],
)
def test_any_recognizer(
    backbone: dict, head: dict, pipeline: list, expected: Sampling, videos: Path, tmp_path: Path
) -> None:
    """Of MMAction2, as its own configs have it: other openers, decoders and crops."""
    is_2d = head["type"] == "TSNHead"
    steps = [
        dict(type="DecordInit"),
        *pipeline,
        dict(type="DecordDecode"),
        dict(type="Resize", scale=(-1, 32)),
        dict(type="ThreeCrop", crop_size=32),
        dict(type="FormatShape", input_format="NCHW" if is_2d else "NCTHW"),
        dict(type="PackActionInputs"),
    ]
    recognizer = dict(
        type="Recognizer2D" if is_2d else "Recognizer3D",
        backbone=backbone,
        cls_head=head,
        data_preprocessor=dict(
            type="ActionDataPreprocessor",
            mean=[128.0, 128.0, 128.0],
            std=[60.0, 60.0, 60.0],
            format_shape="NCHW" if is_2d else "NCTHW",
        ),
    )
    cfg = Config(dict(model=recognizer, test_dataloader=dict(dataset=dict(pipeline=steps))))

    model = MODELS.build({**recognizer, "backbone": {**backbone, "pretrained": None}})
    torch.save(dict(state_dict=model.state_dict()), tmp_path / "weights.pth")
    network = Network.from_config(cfg, tmp_path / "weights.pth")
    assert network.sampling == expected and network.layer == "backbone"
    assert network.transforms[1]["type"] == "CenterCrop"
    build(videos, tmp_path / "index", network)
    found = Collection(tmp_path / "index")
    assert found.vectors.shape[1] == (512 if is_2d else 32)
    assert len(set(found.paths)) == 6 and found.search("1.mp4", 2)[0].path != "1.mp4"


def test_what_is_no_network(tmp_path: Path, tiny_config: Callable[..., Config]) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither a model.pth nor one config"):
        Network.find(tmp_path)
    torch.save(dict(state_dict={}), tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="is not a network that `slic pretrain`"):
        Network.find(tmp_path / "weights.pth")
    with pytest.raises(FileNotFoundError, match="There is no network at"):
        Network.find(tmp_path / "none.pth")
    with pytest.raises(ValueError, match="is a config: give a checkpoint with it"):
        Network.find(tmp_path / "config.py")
    with pytest.raises(ValueError, match=r"lacks .* weights of the projection feature"):
        Network.from_config(tiny_config(), tmp_path / "weights.pth")
    cfg = tiny_config()
    for name in ("custom_hooks", "test_dataloader", "val_dataloader", "embed_pipeline"):
        cfg[name] = None
    with pytest.raises(ValueError, match="has no evaluation pipeline"):
        Network.from_config(cfg, tmp_path / "weights.pth")
