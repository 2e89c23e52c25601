from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.probe import validation_cut, video_groups

UCF101 = r"v_\w+_g\d+"
HMDB51 = r".+(?=_\d+\.\w+$)"


def test_groups_by_file_name() -> None:
    names = ["a/v_PushUps_g01_c01.avi", "b/v_PushUps_g01_c02.mp4", "v_PushUps_g02_c01.avi",
             "v_Punch_g01_c01.avi"]  # fmt: skip
    groups = video_groups(names, UCF101)
    assert groups[0] == groups[1] and len(set(groups.tolist())) == 3
    film = "April_09_brush_hair_u_nm_np{}_ba_goo_{}.avi"
    films = [film.format(1, 0), film.format(1, 1), film.format(2, 0)]
    groups = video_groups(films, HMDB51)
    assert groups[0] == groups[1] != groups[2]
    assert video_groups(names, None).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"does not match the video other\.avi"):
        video_groups([*names, "other.avi"], UCF101)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_no_group_is_split_and_every_class_keeps_one(data) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 12), min_size=4, max_size=40)))
    labels = groups % data.draw(st.integers(1, 4))
    share = data.draw(st.floats(0.05, 0.95))
    sizes = [len(np.unique(groups[labels == c])) for c in np.unique(labels)]
    if max(sizes) < 2:
        with pytest.raises(ValueError, match="has two groups"):
            validation_cut(labels, groups, share, seed=0)
        return
    cut = validation_cut(labels, groups, share, seed=0)
    assert not set(groups[cut]) & set(groups[~cut])
    assert set(labels) == set(labels[~cut])
    for label, size in zip(np.unique(labels), sizes):
        drawn = len(np.unique(groups[cut & (labels == label)]))
        assert drawn == min(size - 1, max(1, round(share * size)))
    assert (validation_cut(labels, groups, share, seed=0) == cut).all()


def test_seeds_cut_differently() -> None:
    labels, groups = np.repeat([0, 1], 40), np.repeat(np.arange(20), 4)
    cuts = {validation_cut(labels, groups, 0.2, seed).tobytes() for seed in range(5)}
    assert len(cuts) > 1
