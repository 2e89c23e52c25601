"""Annotation files of any bytes: a data set, or one sentence with the file's name."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slic_mmaction.datasets.videos import build_videos, true_labels, video_name

pytestmark = pytest.mark.faults

EXAMPLES = 2000 if os.environ.get("SLIC_FAULTS") == "full" else 60

WORDS = st.one_of(
    st.sampled_from(
        [
            *("a.mp4", "0", "1", "-1", "-2", "1.0", "1_0", "nan", "", "..", "/dev/null", "x" * 300),
            *("9" * 20, "9" * 5000, "\uff19", "\u00e4", "\ufeff", "\u2028", "\x85", "\x0b", "\x1c"),
            *("\0", "a\0.mp4", "\r", "\t", " "),
        ]
    ),
    st.text(max_size=5),
)
LINES = st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=6)
CONTENTS = st.one_of(
    st.binary(max_size=60),
    LINES.map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")),
    LINES.map(lambda lines: "\r\n".join(lines).encode("utf-8", "surrogatepass")),
    LINES.map(lambda lines: "\r".join(lines).encode("utf-16", "surrogatepass")),
)
OPTIONS = dict(multi_class=st.booleans(), num_classes=st.sampled_from([None, 1, 3]))
OF_VIDEOS = dict(OPTIONS, delimiter=st.sampled_from([" ", "\t", ",", "", None]))
OF_FRAMES = dict(OPTIONS, with_offset=st.booleans())


KINDS = st.sampled_from([("VideoDataset", OF_VIDEOS), ("RawframeDataset", OF_FRAMES)]).flatmap(
    lambda kind: st.tuples(st.just(kind[0]), st.fixed_dictionaries({}, optional=kind[1]))
)


@given(CONTENTS, KINDS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes(content: bytes, kind: tuple[str, dict[str, Any]]) -> None:
    name, options = kind
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        path.write_bytes(content)
        try:
            videos = build_videos(dict(type=f"mmaction.{name}", ann_file=str(path), **options))
        except ValueError as error:
            sentence = str(error)
            assert "list.txt" in sentence and "\n" not in sentence and len(sentence) < 500
            assert sentence.endswith(".")
            return
        lines = content.decode().split("\n")
        assert len(videos) == len(lines[:-1] if lines[-1] == "" else lines)
        assert not any("\0" in video_name(videos, i) for i in range(len(videos)))
        labels = true_labels(videos)
        assert labels is None or len(labels) == len(videos)
