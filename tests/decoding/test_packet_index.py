from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.decoding.pyav_reader import MIN_JUMP, PacketIndex


@st.composite
def indices_of_videos(draw) -> tuple[PacketIndex, list[int]]:
    """Timestamps with gaps, in any order of decoding, with some key frames; wanted frames."""
    length = draw(st.integers(1, 30))
    stamps = sorted(draw(st.sets(st.integers(-50, 200), min_size=length, max_size=length)))
    keys = [stamps[0], *draw(st.lists(st.sampled_from(stamps), max_size=8))]
    wanted = sorted(draw(st.sets(st.integers(0, length - 1), min_size=1)))
    return PacketIndex(draw(st.permutations(stamps)), keys, guessed=False), wanted


@given(indices_of_videos())
@settings(deadline=None, max_examples=60)
def test_runs_jump_wherever_that_spares_enough_frames(drawn) -> None:
    index, wanted = drawn
    runs = index.runs(wanted)
    assert [frame for _, run in runs for frame in run.values()] == wanted
    starts = [(before, key) for (_, before), (key, _) in itertools.pairwise(runs)]
    for key, run in runs:
        assert key in index.keys and key <= min(run)
        assert all(index.order[frame] == stamp for stamp, frame in run.items())
        # No later key frame would do for the first frame of the run.
        assert not any(key < other <= min(run) for other in index.keys)
        for before, after in zip(run, list(run)[1:]):
            nearest = max(key for key in index.keys if key <= after)
            assert sum(before < stamp < nearest for stamp in index.order) < MIN_JUMP
    for before, key in starts:
        assert sum(max(before) < stamp < key for stamp in index.order) >= MIN_JUMP


def test_when_timestamps_number_the_frames() -> None:
    assert PacketIndex([0, 2, 1], [0], guessed=False).timed
    for stamps, keys in (
        ([0, 1, 1], [0]),  # two frames at one time
        ([0, None, 1], [0]),
        ([0, 1, 2], []),
        ([0, 1, 2], [1]),  # pictures before the first key frame
        ([], []),
    ):
        assert not PacketIndex(stamps, keys, guessed=False).timed
    assert not PacketIndex([0, 2, 1], [0], guessed=True).timed
