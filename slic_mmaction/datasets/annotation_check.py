"""Checking the options and annotation files of MMAction2's video datasets before they are loaded.

The stock datasets report a wrong line as ``too many values to unpack`` or ``invalid literal for
int()``, without file or line, and read an empty line as a video. A wrong option appears as an
error about paths.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmaction.datasets import BaseActionDataset, RawframeDataset, VideoDataset
from mmengine.fileio import exists, get, isfile

UNLABELLED = -1
_TOO_LARGE = 1 << 63  # for an int64 array
_TYPES: dict[str, type | tuple[type, ...]] = dict(
    ann_file=str,
    data_prefix=Mapping,
    num_classes=(int, type(None)),
    start_index=int,
    multi_class=bool,
    with_offset=bool,
    delimiter=(str, type(None)),
)
# The suffix of a file name, the separator (a space by default) and the labels.
_SEPARATED = re.compile(r"\.\w+(?:(\s*(?:[\t,;|=]|:+)\s*)[^./]+| +-?\d+(?: -?\d+)*)$")
# The key of data_prefix for the folder of a dataset's files.
_PREFIX = {VideoDataset: "video", RawframeDataset: "img"}


def check_options(kind: type[BaseActionDataset], options: Mapping[str, Any]) -> None:
    """Check the options of a dataset's config, except unknown ones.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If ``data_prefix`` lacks the folder of this dataset's files.
    """
    for name, expected in _TYPES.items():
        if name in options and not isinstance(options[name], expected):
            types = expected if isinstance(expected, tuple) else (expected,)
            raise TypeError(
                f"{kind.__name__} needs {name} of type {' or '.join(t.__name__ for t in types)}, "
                f"but got {reprlib.repr(options[name])}."
            )
    prefix, part = options.get("data_prefix"), _PREFIX.get(kind)
    if prefix is not None and part is not None and not isinstance(prefix.get(part), str):
        raise ValueError(
            f"{kind.__name__} needs data_prefix=dict({part}=FOLDER), '' for none, but got "
            f"{reprlib.repr(dict(prefix))}."
        )


def check_annotation(dataset: BaseActionDataset) -> None:
    """Check the annotation file of a ``VideoDataset`` or ``RawframeDataset``.

    The dataset must have been built with ``lazy_init=True``. Other datasets are not checked,
    because their formats are unknown.

    Raises:
        FileNotFoundError: If the annotation file does not exist, or is not a regular file.
        ValueError: If a line is wrong (with file and line number), or options contradict each
            other.
    """
    check = _LINE_CHECKS.get(type(dataset))
    if check is None:
        return
    path = dataset.ann_file
    if not isfile(path):
        what = "is not a file" if exists(path) else "does not exist"
        raise FileNotFoundError(
            f"The annotation file {path} {what}: create it with a script of tools/data, or correct "
            "ann_file."
        )
    if dataset.multi_class and dataset.num_classes is None:
        raise ValueError(f"multi_class=True for {path} needs num_classes, the number of classes.")
    if getattr(dataset, "delimiter", None) == "":
        raise ValueError(
            f"The delimiter for {path} is empty: set it to the separator of path and label."
        )
    first_has_label = None
    for number, line in enumerate(_lines(path, get(path)), start=1):
        try:
            if not line.strip():
                raise ValueError("is empty; remove it")
            has_label = check(dataset, line.strip())
            # SLIC needs no labels, so a file may have none. A single line without one is an error.
            first_has_label = has_label if first_has_label is None else first_has_label
            if has_label != first_has_label:
                has, first_has = ("a", "none") if has_label else ("no", "one")
                raise ValueError(f"has {has} label, but line 1 has {first_has}; label all or none")
        except ValueError as error:
            raise ValueError(f"{path}:{number} {error}.") from None


def _lines(path: str, content: bytes) -> list[str]:
    if content.startswith(b"\xef\xbb\xbf"):
        raise ValueError(
            f"{path}:1 begins with a byte order mark, which would become part of the first name; "
            "save the file as UTF-8 without one."
        )
    # MMEngine reads a lone carriage return as a line end, and a path cannot contain NUL.
    content = content.replace(b"\r\n", b"\n")
    for byte, name in ((b"\r", "carriage return within a line"), (b"\0", "NUL character")):
        if byte in content:
            number = content.count(b"\n", 0, content.index(byte)) + 1
            raise ValueError(f"{path}:{number} has a {name}; save the file as plain UTF-8 text.")
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}:{number} is not UTF-8 text; save the file as UTF-8.") from error
    return lines[:-1] if lines[-1] == "" else lines


def _check_video(dataset: VideoDataset, line: str) -> bool:
    fields = line.split(dataset.delimiter)
    found = _SEPARATED.search(line)
    delimiters = [" ", "\t"] if dataset.delimiter is None else [dataset.delimiter.strip(" ") or " "]
    separator = found and (found[1] or " ")
    if separator and (separator.strip(" ") or " ") not in delimiters:
        raise ValueError(
            f"seems to separate path and label by {separator!r}, but the dataset's delimiter is "
            f"{dataset.delimiter!r}; set delimiter={separator!r} in the dataset's config"
        )
    if len(fields) > 2 and not dataset.multi_class:
        raise ValueError(
            f"has {len(fields)} fields separated by {dataset.delimiter!r}, but should be a path "
            "and a label; if names contain the separator, use tabs and set delimiter='\\t' in the "
            "dataset's config"
        )
    return _check_labels(dataset, fields[1:])


def _check_frames(dataset: RawframeDataset, line: str) -> bool:
    names = ["offset", "number of frames"] if dataset.with_offset else ["number of frames"]
    fields = line.split()
    numbers, labels = fields[1 : len(names) + 1], fields[len(names) + 1 :]
    if len(numbers) < len(names) or (len(labels) > 1 and not dataset.multi_class):
        raise ValueError(
            f"has {len(fields)} fields, but should be a folder (without spaces), its "
            f"{' and '.join(names)}, and a label, separated by spaces or tabs"
        )
    for name, field in zip(names, numbers):
        if _integer(field, name) < (name != "offset"):
            raise ValueError(f"has {field} as {name}; correct or remove it")
    return _check_labels(dataset, labels)


def _check_labels(dataset: BaseActionDataset, fields: Sequence[str]) -> bool:
    for field in fields:
        label = _integer(field, "label")
        highest = dataset.num_classes
        if label < UNLABELLED or (highest is not None and label >= highest):
            raise ValueError(
                f"has the label {label}, but labels count from 0"
                + ("" if highest is None else f" to num_classes - 1 = {highest - 1}")
            )
    return len(fields) > 0


def _integer(field: str, name: str) -> int:
    try:
        number = int(field)
    except ValueError:
        raise ValueError(
            f"has {reprlib.repr(field)} as {name}, which is not an integer; correct it"
        ) from None
    if abs(number) >= _TOO_LARGE:
        raise ValueError(f"has {reprlib.repr(field)} as {name}, which is too large; correct it")
    return number


_LINE_CHECKS: dict[type, Callable[..., bool]] = {
    VideoDataset: _check_video,
    RawframeDataset: _check_frames,
}
