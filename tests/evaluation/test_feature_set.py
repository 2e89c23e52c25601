from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.evaluation import FeatureKey, FeatureSet, load_features
from slic_mmaction.evaluation.feature_set import read_index, write_index, write_shard

KEY = FeatureKey("weights", "config", "videos")
VIEW = (None, (16, 16))


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_comes_back_whatever_the_shards(data) -> None:
    counts = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    order = data.draw(st.permutations(range(len(counts))))
    size = data.draw(st.integers(1, 5))
    rng = np.random.default_rng(len(counts))
    rows = [rng.normal(size=(count, 3)).astype(np.float32) for count in counts]
    names = [str(i) for i in range(len(counts))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_index(folder, names, KEY, "projection")
        for start in range(0, len(order), size):
            part = {video: rows[video] for video in order[start : start + size]}
            write_shard(folder, KEY, part, *VIEW)
        features = load_features(folder)
        assert read_index(folder)[1] == KEY and features.protocol is None
        memory = FeatureSet.in_memory(
            names, np.concatenate(rows), counts, "projection", *VIEW, np.zeros(len(names))
        )
        for found in (features, memory):
            assert found.names == names and len(found) == len(rows) and found.dim == 3
            for video, expected in enumerate(rows):
                np.testing.assert_array_equal(found[video], expected)
            flat, begins = found.clips()
            np.testing.assert_array_equal(flat, np.concatenate(rows))
            assert begins.tolist() == np.cumsum([0, *counts]).tolist()
            np.testing.assert_allclose(found.means(), [r.mean(0) for r in rows], atol=1e-6)


def test_the_index_says_what_is_there_and_nothing_more_is_read(stored, monkeypatch) -> None:
    features = stored([np.full((1, 2), i) for i in range(9)], list(range(9))[::-1])
    index = json.loads((features.folder / "index.json").read_text())
    assert index["names"] == [f"{i}.mp4" for i in range(9)] and index["layer"] == "backbone"
    assert (index["checkpoint"], index["config"]) == ("weights", "config")
    opened = []
    real = np.load
    monkeypatch.setattr(np, "load", lambda path, **how: opened.append(how) or real(path, **how))
    features = load_features(features.folder)
    assert opened == [] and features.full_name == "iic, backbone feature"
    assert features[4].tolist() == [[4, 4]] and features[2].tolist() == [[2, 2]]
    assert features[-1].tolist() == [[8, 8]] and features[7].tolist() == [[7, 7]]
    assert opened == [dict(mmap_mode="r", allow_pickle=False)] * 3
    with pytest.raises(IndexError):
        features[9]


def test_projected_is_the_head_of_every_clip(model, stored) -> None:
    head = model.cls_head.eval()
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(count, 32)) for count in (2, 1, 3, 1, 2)]
    features = stored(rows, [3, 0, 4, 1, 2]).projected(head)
    with torch.no_grad():
        expected = [head(torch.from_numpy(own).float()) for own in rows]
    clips, begins = features.clips()
    assert begins.tolist() == [0, 2, 3, 6, 7, 9] and features.full_name == "iic"
    torch.testing.assert_close(clips, torch.cat(expected), atol=1e-5, rtol=1e-4)
    means = torch.stack([own.mean(0) for own in expected])
    torch.testing.assert_close(features.means(), means, atol=1e-5, rtol=1e-4)


def test_incomplete_and_mixed_folders_are_named(stored, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1 of 3 videos have no features .* first 2\.mp4"):
        stored([np.ones((1, 2))] * 3, [0, 1])
    with pytest.raises(FileNotFoundError, match=r"no index\.json in .*none"):
        load_features(tmp_path / "none")
    features = stored([np.ones((1, 2))] * 3, [0, 1, 2])
    with pytest.raises(FileNotFoundError, match="open one of stored_0, stored_1 in it"):
        load_features(features.folder.parent)
    line = dict(protocol="center", frame_size=[128, 128], videos=[0], num_clips=[1])
    (features.folder / "shard_00.json").write_text(json.dumps(dict(line, key=KEY.digest)))
    with pytest.raises(ValueError, match="different protocols must not be mixed"):
        load_features(features.folder)


def test_damaged_files_and_such_that_may_run_code_are_refused(stored) -> None:
    features = stored([np.ones((1, 2))] * 3, [0, 1, 2])
    (shard,) = features.folder.glob("*.npy")
    whole = shard.read_bytes()
    for keep in (0, 5, 130):
        shard.write_bytes(whole[:keep])
        with pytest.raises(ValueError, match=rf"{shard.name} is damaged"):
            load_features(features.folder).means()
    np.save(shard, np.array([[Path()]]))  # an object, which would have to be unpickled
    with pytest.raises(ValueError, match=rf"{shard.name} is damaged .* extract the features"):
        load_features(features.folder).means()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match=rf"{shard.name} is damaged \(wrong checksum\)"):
        load_features(features.folder).means()
    # Of other features, or of the same videos again.
    line = shard.with_suffix(".json")
    shutil.copy(line, features.folder / "shard_again.json")
    with pytest.raises(ValueError, match=r"has the features of 0\.mp4 twice"):
        load_features(features.folder)
    line.write_text(line.read_text().replace(KEY.digest, "another"))
    with pytest.raises(ValueError, match=rf"{line.name} belongs to other features"):
        load_features(features.folder)
    line.write_text("{")
    with pytest.raises(ValueError, match=rf"{line.name} is damaged"):
        load_features(features.folder)
    (features.folder / "index.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match=r"index\.json is of format 99"):
        load_features(features.folder)
