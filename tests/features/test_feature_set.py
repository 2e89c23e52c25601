from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.features import FeatureKey, load_features
from slic_mmaction.features.feature_set import write_index
from slic_mmaction.features.shards import ShardWriter, read_shards

KEY = FeatureKey("weights", "config", "videos")


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_comes_back_whatever_the_shards(data) -> None:
    counts = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    order = data.draw(st.permutations(range(len(counts))))
    size = data.draw(st.integers(1, 5))
    rng = np.random.default_rng(len(counts))
    rows = [rng.normal(size=(count, 3)).astype(np.float32) for count in counts]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Two ranks, each with its own writer and its own videos.
        for share in (order[::2], order[1::2]):
            writer = ShardWriter(folder, KEY.digest, size)
            for video in share:
                writer.add(video, rows[video], None, (16, 16))
            writer.flush()
        names = [str(i) for i in range(len(counts))]
        write_index(folder, names, KEY, "projection", list(read_shards(folder)))
        features = load_features(folder)
        assert features.names == names and features.key == KEY and len(features) == len(rows)
        for video, expected in enumerate(rows):
            np.testing.assert_array_equal(features[video], expected)
        flat, begins = features.clips()
        np.testing.assert_array_equal(flat, np.concatenate(rows))
        assert begins.tolist() == np.cumsum([0, *counts]).tolist()
        np.testing.assert_allclose(features.means(), [r.mean(0) for r in rows], atol=1e-6)
        if len(set(counts)) == 1:
            np.testing.assert_array_equal(features.array(), np.stack(rows))
        else:
            with pytest.raises(ValueError, match="take them one by one, or their means"):
                features.array()


def test_the_index_says_what_is_there(stored) -> None:
    features = stored([np.ones((2, 4)), np.zeros((2, 4))], [1, 0])
    index = json.loads((features.folder / "index.json").read_text())
    assert index["names"] == ["0.mp4", "1.mp4"] and index["shape"] == [2, 2, 4]
    assert index["dtype"] == "float32" and index["layer"] == "backbone"
    assert index["protocol"] == "iic" and index["frame_size"] == [16, 16]
    assert (index["checkpoint_hash"], index["config_hash"]) == ("weights", "config")


def test_nothing_is_read_until_it_is_asked_for(stored, monkeypatch) -> None:
    features = stored([np.full((1, 2), i) for i in range(9)], list(range(9)), shard_videos=3)
    opened = []
    real = np.load
    monkeypatch.setattr(np, "load", lambda path, **how: opened.append(how) or real(path, **how))
    features = load_features(features.folder)
    assert opened == []
    assert features[4].tolist() == [[4, 4]] and features[3].tolist() == [[3, 3]]
    assert features[-1].tolist() == [[8, 8]]
    assert opened == [dict(mmap_mode="r", allow_pickle=False)] * 2
    with pytest.raises(IndexError):
        features[9]


def test_means_as_npy(stored, tmp_path: Path) -> None:
    features = stored([np.array([[1.0, 3], [3, 5]]), np.array([[0.0, 0]])], [0, 1])
    features.save_means(tmp_path / "means.npy")
    assert np.load(tmp_path / "means.npy").tolist() == [[2, 4], [0, 0]]


def test_incomplete_and_damaged_folders_are_named(stored, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1 of 3 videos have no features .* first 2\.mp4"):
        features = stored([np.ones((1, 2))] * 3, [0, 1])
    with pytest.raises(FileNotFoundError, match=r"no index\.json in .* or it is not finished"):
        load_features(tmp_path / "stored_0")
    features = stored([np.ones((1, 2))] * 3, [0, 1, 2])
    outer = features.folder.parent
    with pytest.raises(FileNotFoundError, match="open one of stored_1 in it"):
        load_features(outer)
    (shard,) = features.folder.glob("*.npy")
    np.save(shard, np.ones((2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match=r"holds \(2, 2\), but its index says \(3, 2\)"):
        load_features(features.folder).means()
    index = json.loads((features.folder / "index.json").read_text())
    (features.folder / "index.json").write_text(json.dumps(dict(index, format=99)))
    with pytest.raises(ValueError, match="is of format 99"):
        load_features(features.folder)


class MakesFile:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_shard_that_runs_code_is_refused(stored, tmp_path: Path) -> None:
    features = stored([np.ones((1, 2))] * 3, [0, 1, 2])
    (shard,) = features.folder.glob("*.npy")
    np.save(shard, np.array([[MakesFile(tmp_path / "ran")]], dtype=object))
    with pytest.raises(ValueError, match=rf"{shard.name} cannot be read .* extract the features"):
        load_features(features.folder).means()
    assert not (tmp_path / "ran").exists()
    np.load(shard, allow_pickle=True)
    assert (tmp_path / "ran").exists()  # it is live


@pytest.mark.parametrize("keep", [0, 5, 130])
def test_a_shard_cut_off_is_named(stored, keep: int) -> None:
    features = stored([np.ones((1, 2))] * 3, [0, 1, 2])
    (shard,) = features.folder.glob("*.npy")
    shard.write_bytes(shard.read_bytes()[:keep])
    with pytest.raises(ValueError, match=rf"{shard.name} cannot be read"):
        load_features(features.folder).means()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"7"])
def test_a_damaged_index_is_named(stored, content: bytes) -> None:
    features = stored([np.ones((1, 2))], [0])
    (features.folder / "index.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"index\.json is (damaged|of format)"):
        load_features(features.folder)


def test_protocols_do_not_mix(tmp_path: Path) -> None:
    rows = np.ones((1, 2), dtype=np.float32)
    for video, protocol in enumerate(("iic", "center")):
        writer = ShardWriter(tmp_path, KEY.digest, 1)
        writer.add(video, rows, protocol, (16, 16))
    with pytest.raises(ValueError, match="different ways"):
        writer.add(2, rows, "center", (32, 32))
    with pytest.raises(ValueError, match="seen in several ways"):
        write_index(tmp_path, ["a", "b"], KEY, "backbone", list(read_shards(tmp_path)))
