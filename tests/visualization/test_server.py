"""The page of `slic serve`: what it answers, and what it keeps to itself."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("gradio")
import uvicorn

from slic_mmaction import cli
from slic_mmaction.collection import Collection
from slic_mmaction.decoding import open_reader
from slic_mmaction.visualization.server import _convert, build_app

from ..decoding.numbered_videos import numbers_of
from ..decoding.test_timeline import write_variable
from .served import CONTENT, Served, slic_serve


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    started = []

    def serve(collection: Collection) -> Served:
        config = uvicorn.Config(
            build_app(collection, tmp_path),
            port=0,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        started.append((server, thread))
        while not server.started:
            assert thread.is_alive()
            thread.join(0.02)
        return Served(server.servers[0].sockets[0].getsockname()[1])

    yield serve
    for server, thread in started:
        server.should_exit = True
        thread.join()


def test_only_files_of_the_index_are_served(
    served_index: Path, serve: Callable[..., Served], tmp_path: Path
) -> None:
    collection = Collection(served_index)
    folder = collection.folder
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    served = serve(collection)
    for row, (name, start) in enumerate(zip(collection.paths, collection.column("start"))):
        content = (folder / name).read_bytes()
        status, body, headers = served.get(f"/video/{row}")
        assert (status, body) == (200, content)
        plays = name.endswith(".mp4")
        assert headers["content-type"] == ("video/mp4" if plays else "application/octet-stream")
        assert "default-src 'self'" in headers["content-security-policy"]
        status, body, _ = served.get(f"/thumbnail/{row}")
        assert status == 200
        assert cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR).shape == (96, 384, 3)
        if start:
            status, body, _ = served.get(f"/moment/{row}")
            with av.open(io.BytesIO(body)) as video:
                assert video.streams.video[0].codec.name == "h264"
                assert len(list(video.decode(video=0))) == 10
    status, body, headers = served.get("/video/0", range="bytes=5-9")
    assert (status, body) == (206, (folder / collection.paths[0]).read_bytes()[5:10])
    assert served.get("/video/0", range="bytes=99999999-")[0] == 416

    secret = served_index / "network.pth"
    hostile = [
        f"{route}{path}"
        for route in ("/gradio_api/file=", "/gradio_api/file/", "/file=", "//gradio_api/file=",
                      "/gradio_api%2Ffile=", "/gradio_api/./file=", "/assets/../file=",
                      "/gradio_api/proxy=", "/video/", "/moment/", "/thumbnail/", "/static/",
                      "/assets/", "/theme.css/", "/")
        for path in ("/etc/passwd", str(secret), "index/network.pth", "../index/network.pth",
                     "..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd", "%252e%252e/network.pth",
                     "....//....//etc/passwd", f"http://127.0.0.1:{served.port}/video/0",
                     "notes.txt", "-1", "12", "0x1", "1.0", "%00", "0/../../notes.txt")
    ]  # fmt: skip
    hostile += ["/openapi.json", "/docs", "/monitoring", "/gradio_api/deep_link?session_hash=me",
                "/gradio_api/vibe-code", "/gradio_api/runs", "/svelte/x"]  # fmt: skip
    for url in hostile:
        url = url.replace(" ", "%20")
        status, body, _ = served.get(url)
        assert status in (400, 403, 404), (url, status)
        assert CONTENT not in body and b"root:" not in body, url
    assert served.get("/video/0", host="evil.example")[0] == 400
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_a_file_that_has_changed_is_not_served(
    served_index: Path, serve: Callable[..., Served]
) -> None:
    collection = Collection(served_index)
    served, path = serve(collection), collection.folder / "sub/plain.mp4"
    row = collection.paths.index("sub/plain.mp4")
    kept = path.rename(path.with_suffix(".kept"))
    try:
        assert served.get(f"/video/{row}")[:2] == (404, b'{"detail":"This video is gone."}')
        path.symlink_to(served_index / "network.pth")
        for route in ("video", "moment", "thumbnail"):
            status, body, _ = served.get(f"/{route}/{row}")
            assert status == 404 and b"has changed since it was indexed" in body
    finally:
        os.replace(kept, path)
    assert served.get(f"/video/{row}")[0] == 200


def test_a_moment_of_a_variable_rate_is_played_at_its_pace(tmp_path: Path) -> None:
    _convert(write_variable(tmp_path / "a.mp4"), 2.0, 6.0, tmp_path / "moment.mp4")
    reader = open_reader(str(tmp_path / "moment.mp4"))
    assert reader.num_frames / reader.avg_fps == pytest.approx(4, abs=0.1)
    numbers = numbers_of(reader)
    assert numbers == sorted(numbers) and 60 <= numbers[-1] < 65
    for number in (2, 3, 4):  # for a second each
        assert numbers.count(number) / reader.avg_fps == pytest.approx(1, abs=0.1)


def test_uploaded_clips_are_searched_with_and_no_other_file(
    served_index: Path, serve: Callable[..., Served], tmp_path: Path
) -> None:
    collection = Collection(served_index)
    asked = []

    def span(path: Path, start: float | None, end: float | None) -> np.ndarray:
        asked.append((path, start, end))
        return collection.vectors[4]

    collection.__dict__["network"] = SimpleNamespace(span=span)
    served = serve(collection)
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../my clip.mp4"\r\n\r\n'
    body += (served_index.parent / "elsewhere.mp4").read_bytes() + b"\r\n--x--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=300)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/gradio_api/upload", body, headers)
    (path,) = json.loads(connection.getresponse().read())
    connection.close()
    assert Path(path).is_relative_to(tmp_path / "uploads")
    clip = dict(path=path, meta=dict(_type="gradio.FileData"))
    answer = served.call("search", [clip, None, "0.1", "", 4])
    assert answer["success"] and asked == [(Path(path), 0.1, None)]
    rows = [int(row) for row in re.findall("/thumbnail/([0-9]+)", answer["output"]["data"][0])]
    found = [(collection.paths[row], collection.column("start")[row]) for row in rows]
    assert found == [(hit.path, hit.start) for hit in collection.search(collection.vectors[4], 4)]
    assert served.get(f"/gradio_api/file={quote(path)}")[0] == 404
    for other in (
        "/etc/passwd",
        str(served_index / "network.pth"),
        f"http://127.0.0.1:{served.port}/",
    ):
        answer = served.call("search", [{**clip, "path": other}, None, "", "", 4])
        assert not answer["success"] and len(asked) == 1
    assert not served.call("search", [None, 999, "", "", 4])["success"]
    answer = served.call("search", [None, 0, "soon", "", 4])
    assert "&#39;soon&#39; is not a number of seconds" in answer["output"]["data"][0]


def test_the_command(
    served_index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    with slic_serve(served_index, tmp_path, "--host", "0.0.0.0") as (process, said):
        assert len(said) == 2, said
        warning, page = said
        assert "Everyone who can reach this port can see the videos" in warning
        (port,) = re.findall(r"http://0\.0\.0\.0:([0-9]+)", page)
        assert Served(int(port)).get("/video/0", host="any.example")[0] == 200
        monkeypatch.setattr(
            sys,
            "argv",
            ["slic", "serve", "--in", str(served_index), "--host", "0.0.0.0", "--port", port],
        )
        with pytest.raises(SystemExit) as stop:
            cli.main()
        error = capfd.readouterr().err
        assert stop.value.code == 2 and error.count("\n") == 1
        assert f"port {port}" in error and "choose another --port" in error
        assert len(list(tmp_path.glob("slic_serve_*"))) == 1
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "\nStopped.\n"
        assert process.wait() == 0
    assert not list(tmp_path.glob("slic_serve_*"))


def test_gradio_is_missing(
    served_index: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "slic_mmaction.visualization.server")
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr(sys, "argv", ["slic", "serve", "--in", str(served_index)])
    with pytest.raises(SystemExit):
        cli.main()
    assert capfd.readouterr().err.endswith("pip install 'slic-mmaction[view]'.\n")
