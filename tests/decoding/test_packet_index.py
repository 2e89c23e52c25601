from __future__ import annotations

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
def test_runs_hold_every_frame_once_after_its_key_frame(drawn) -> None:
    index, wanted = drawn
    runs = index.runs(wanted)
    assert [frame for _, run in runs for frame in run.values()] == wanted
    for key, run in runs:
        assert key in index.keys and key <= min(run)
        assert all(index.order[frame] == stamp for stamp, frame in run.items())
        # No later key frame would do for the first frame of the run.
        assert not any(key < other <= min(run) for other in index.keys)
    for (_, before), (key, _) in zip(runs, runs[1:]):
        between = [stamp for stamp in index.order if max(before) < stamp < key]
        assert len(between) >= MIN_JUMP


@given(indices_of_videos())
@settings(deadline=None, max_examples=30)
def test_a_jump_is_made_wherever_it_spares_enough(drawn) -> None:
    index, wanted = drawn
    for _, run in index.runs(wanted):
        for before, after in zip(run, list(run)[1:]):
            key = max(key for key in index.keys if key <= after)
            between = [stamp for stamp in index.order if before < stamp < key]
            assert len(between) < MIN_JUMP


def test_when_timestamps_number_the_frames() -> None:
    assert PacketIndex([0, 2, 1], [0], guessed=False).timed
    assert not PacketIndex([0, 2, 1], [0], guessed=True).timed
    assert not PacketIndex([0, 1, 1], [0], guessed=False).timed  # two frames at one time
    assert not PacketIndex([0, None, 1], [0], guessed=False).timed
    assert not PacketIndex([0, 1, 2], [], guessed=False).timed
    assert not PacketIndex([0, 1, 2], [1], guessed=False).timed  # pictures before the first key
    assert not PacketIndex([], [], guessed=False).timed
