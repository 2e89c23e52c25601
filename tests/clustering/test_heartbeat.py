from __future__ import annotations

import threading

from slic_mmaction.clustering.heartbeat import Heartbeat


def test_beats_until_left() -> None:
    beaten = threading.Semaphore(0)
    with Heartbeat(beaten.release, 0.001) as heartbeat:
        for _ in range(3):
            assert beaten.acquire(timeout=60)
    assert not heartbeat._thread.is_alive()


def test_does_not_beat_while_paused() -> None:
    beats: list[bool] = []
    heartbeat = Heartbeat(lambda: beats.append(heartbeat.pause.locked()), 0.001)
    with heartbeat:
        with heartbeat.pause:
            before = len(beats)
            threading.Event().wait(0.05)
            assert len(beats) == before
        while not beats:
            threading.Event().wait(0.001)
    assert all(beats)


def test_a_failing_beat_ends_the_beating() -> None:
    beats: list[int] = []

    def fail() -> None:
        beats.append(1)
        raise RuntimeError("connection lost")

    with Heartbeat(fail, 0.001) as heartbeat:
        heartbeat._thread.join(timeout=60)
        assert not heartbeat._thread.is_alive()
    assert len(beats) == 1
