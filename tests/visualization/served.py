"""An index of small videos with hostile names, and how its page is served and asked."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from slic_mmaction import cli
from slic_mmaction.collection.groups import distances_to_means
from slic_mmaction.collection.store import WindowTable

from ..conftest import write_video
from ..videos import encode

NAMES = [
    "<img src=x onerror=alert(2)>${1+1}{{value}}.mp4",
    "<script>alert(1)</script>.avi",
    "a\nb\u202ec #1?%41..mkv",
    "sub/plain.mp4",
    "Видео/_日本 🎬.mp4",
]
CONTENT = b"of nobody's business"


def make_index(root: Path) -> Path:
    """Make an index of six small videos, one in H.264, one a link, of two windows each."""
    folder, index = root / "my videos", root / "index"
    index.mkdir()
    for seed, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(root / "video.mp4", 20, seed)
        source = root / f"video{Path(name).suffix}"
        if name == "sub/plain.mp4":
            pictures = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)
            encode(source, pictures)
        elif source.suffix != ".mp4":
            with av.open(str(root / "video.mp4")) as video:
                encode(source, [f.to_ndarray(format="rgb24") for f in video.decode(video=0)])
        os.replace(source, folder / name)
    write_video(root / "elsewhere.mp4", 20, 9)
    (folder / "link.mp4").symlink_to(root / "elsewhere.mp4")
    (folder / "notes.txt").write_bytes(CONTENT)
    (index / "network.pth").write_bytes(CONTENT)
    names = sorted([*NAMES, "link.mp4"])
    table = WindowTable(index)
    vectors = np.random.default_rng(0).normal(size=(2 * len(names), 6)).astype(np.float32)
    states = [(folder / name).stat() for name in names for _ in range(2)]
    table.add(
        [name for name in names for _ in range(2)], [0.0, 0.4] * len(names),
        [0.4, 0.8] * len(names), [state.st_size for state in states],
        [state.st_mtime_ns for state in states], vectors,
    )  # fmt: skip
    table.publish()
    cluster = np.array([0, 1, 1, -1] * 3)
    table.write_clusters(table.read(), cluster, distances_to_means(vectors, cluster))
    settings = dict(format=1, folder=str(folder), window=0.4, stride=0.4, network="x")
    (index / "collection.json").write_text(json.dumps(settings))
    return index


class Served:
    """A running server; requests go out as they are written."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, url: str, body: Any = None, **headers: str) -> tuple[int, bytes, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        with contextlib.closing(connection):
            content = None if body is None else json.dumps(body)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            if content:
                named["content-type"] = "application/json"
            connection.request("POST" if content else "GET", url, content, named)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    def call(self, name: str, data: list[Any]) -> dict[str, Any]:
        """What gradio answers when the page calls a function."""
        functions = json.loads(self.get("/config")[1])["dependencies"]
        number = next(one["id"] for one in functions if one["api_name"] == name)
        event = dict(data=data, fn_index=number, session_hash="me")
        assert self.get("/gradio_api/queue/join", event)[0] == 200
        lines = self.get("/gradio_api/queue/data?session_hash=me")[1].decode().splitlines()
        said = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        return next(one for one in said if one["msg"] == "process_completed")


@contextlib.contextmanager
def slic_serve(index: Path, temporary: Path, *options: str) -> Iterator[tuple[Any, list[str]]]:
    """The command in a process of its own; yields it with what it has said once it listens."""
    program = f"import sys; sys.argv[0] = 'slic'; from {cli.__name__} import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--in", str(index), "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=dict(os.environ, PYTHONPATH=str(Path(cli.__file__).parents[2]), TMPDIR=str(temporary)),
    ) as process:  # fmt: skip
        said = []
        try:
            for line in process.stdout:
                said.append(line.strip())
                if line.startswith("page:"):
                    break
            yield process, said
        finally:
            process.kill()
