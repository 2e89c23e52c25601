"""The page of `slic serve`: what it answers, and what it keeps to itself."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("gradio")
import uvicorn

from slic_mmaction import cli
from slic_mmaction.collection import Collection
from slic_mmaction.collection.groups import distances_to_means
from slic_mmaction.collection.store import WindowTable
from slic_mmaction.visualization.browser_html import ALL, CollectionHtml
from slic_mmaction.visualization.page import visible
from slic_mmaction.visualization.server import build_app

from ..conftest import write_video
from ..videos import encode
from .chromium import PROGRAM, chromium
from .parsed_page import Parsed

NAMES = [
    "<img src=x onerror=alert(2)>${1+1}{{value}}.mp4",
    "<script>alert(1)</script>.avi",
    "a\nb\u202ec #1?%41..mkv",
    "sub/plain.mp4",
    "Видео/_日本 🎬.mp4",
]
TAGS = [
    "div",
    "section",
    "h1",
    "h2",
    "p",
    "figure",
    "figcaption",
    "span",
    "a",
    "img",
    "wbr",
    "button",
]
CONTENT = b"of nobody's business"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small videos, one in H.264 and one a link to another folder, with two windows each."""
    root = tmp_path_factory.mktemp("serve")
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
    index: Path, serve: Callable[..., Served], tmp_path: Path
) -> None:
    collection = Collection(index)
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

    secret = index / "network.pth"
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


def test_a_file_that_has_changed_is_not_served(index: Path, serve: Callable[..., Served]) -> None:
    collection = Collection(index)
    served, path = serve(collection), collection.folder / "sub/plain.mp4"
    row = collection.paths.index("sub/plain.mp4")
    kept = path.rename(path.with_suffix(".kept"))
    try:
        assert served.get(f"/video/{row}")[:2] == (404, b'{"detail":"This video is gone."}')
        path.symlink_to(index / "network.pth")
        for route in ("video", "moment", "thumbnail"):
            status, body, _ = served.get(f"/{route}/{row}")
            assert status == 404 and b"has changed since it was indexed" in body
    finally:
        os.replace(kept, path)
    assert served.get(f"/video/{row}")[0] == 200


def test_uploaded_clips_are_searched_with_and_no_other_file(
    index: Path, serve: Callable[..., Served], tmp_path: Path
) -> None:
    collection = Collection(index)
    asked = []

    def span(path: Path, start: float | None, end: float | None) -> np.ndarray:
        asked.append((path, start, end))
        return collection.vectors[4]

    collection.__dict__["network"] = SimpleNamespace(span=span)
    served = serve(collection)
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../my clip.mp4"\r\n\r\n'
    body += (index.parent / "elsewhere.mp4").read_bytes() + b"\r\n--x--\r\n"
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
    for other in ("/etc/passwd", str(index / "network.pth"), f"http://127.0.0.1:{served.port}/"):
        answer = served.call("search", [{**clip, "path": other}, None, "", "", 4])
        assert not answer["success"] and len(asked) == 1
    assert not served.call("search", [None, 999, "", "", 4])["success"]
    answer = served.call("search", [None, 0, "soon", "", 4])
    assert "&#39;soon&#39; is no number of seconds" in answer["output"]["data"][0]


def test_names_are_harmless_and_every_card_has_its_row(index: Path, tmp_path: Path) -> None:
    collection = Collection(index)
    html = CollectionHtml(collection)
    with open(index / "duplicates.csv", "w", newline="") as file:
        file.write("group,keep,path,width,height,seconds,bytes,mirrored\n")
        for name, keep in (("link.mp4", True), (NAMES[3], False), ("not/indexed.mp4", False)):
            file.write(f"0,{keep},{name},40,32,0.8,1234,{not keep}\n")
    try:
        duplicates = html.duplicates()
    finally:
        os.remove(index / "duplicates.csv")
    pages = [html.header(), html.hint(NAMES[0]), html.cluster(ALL), html.cluster(1), duplicates]
    first = {name: collection.paths.index(name) for name in collection.paths}
    assert dict((row, name) for name, row in html.videos())[first[NAMES[2]]] == (
        "a\\nb\\u202ec #1?%41..mkv"
    )
    pages += [html.search(None, row, "", "", 20) for row in first.values()]
    for page in pages:
        assert not set("{$") & set(page)
        (tmp_path / "page.html").write_text(page)
        parsed = Parsed(tmp_path / "page.html")
        for tag, attributes in parsed.elements:
            assert tag in TAGS
            assert not any(name.startswith("on") for name in attributes)
            assert re.fullmatch(
                r"(/(video|moment)/\d+(#t=[\d.,]+)?|/thumbnail/\d+|data:image/jpeg;base64,.*|)",
                attributes.get("src", "") + attributes.get("href", ""),
            )
    plain = first["sub/plain.mp4"]
    assert f'href="/video/{plain}#t=0,0.4"' in duplicates and "spare, mirrored" in duplicates
    assert f'href="/moment/{first[NAMES[1]]}"' in html.search(None, plain, "", "", 20)
    in_one = re.findall("/thumbnail/([0-9]+)", html.cluster(1))
    order = np.argsort(collection.column("distance"), kind="stable")
    assert in_one == [str(row) for row in order if collection.column("cluster")[row] == 1]


@contextlib.contextmanager
def slic_serve(index: Path, temporary: Path, *options: str) -> Iterator[tuple[Any, list[str]]]:
    """The command in a process of its own; yields it with what it has said once it listens."""
    program = f"import sys; sys.argv[0] = 'slic'; from {cli.__name__} import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--in", str(index), "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=dict(os.environ, PYTHONPATH=str(Path(cli.__file__).parents[1]), TMPDIR=str(temporary)),
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


def test_the_command(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    with slic_serve(index, tmp_path, "--host", "0.0.0.0") as (process, said):
        assert len(said) == 2, said
        warning, page = said
        assert "Everyone who can reach this port can see the videos" in warning
        (port,) = re.findall(r"http://0\.0\.0\.0:([0-9]+)", page)
        assert Served(int(port)).get("/video/0", host="any.example")[0] == 200
        monkeypatch.setattr(
            sys, "argv", ["slic", "serve", "--in", str(index), "--host", "0.0.0.0", "--port", port]
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
    index: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "slic_mmaction.visualization.server")
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr(sys, "argv", ["slic", "serve", "--in", str(index)])
    with pytest.raises(SystemExit):
        cli.main()
    assert capfd.readouterr().err.endswith("pip install 'slic-mmaction[view]'.\n")


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")
def test_in_a_browser(index: Path, tmp_path: Path) -> None:
    """Search by a click, play what browsers play and what they do not, open a cluster, go on."""
    collection = Collection(index)
    with slic_serve(index, tmp_path) as (_, (page,)), chromium(tmp_path / "profile") as browser:
        (url,) = re.findall(r"http://\S+", page)
        browser.call("Page.navigate", url=url)
        box = "document.querySelector('input[role=combobox]')"
        browser.wait_for(box)
        browser.run(f"{box}.focus()")
        option = "[...document.querySelectorAll('[role=option]')].find(e => e.offsetParent)"
        x, y = browser.wait_for(f"(r => [r.x + 9, r.y + 9])({option}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            browser.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )
        links = "[...document.querySelectorAll('.slic a.name')].filter(e => e.offsetParent)"
        shown = f"{links}.map(e => e.textContent)"
        names = browser.wait_for(f"(n => n.length && n)({shown})")
        hits = collection.search(collection.paths[0], 12)
        assert names == [visible(hit.path) for hit in hits] and len(names) == 10

        playing = "(v => v.videoWidth && v.currentTime > 0 && v.src)"
        video, note = (
            "document.querySelector('dialog video')",
            "document.querySelector('.player .note')",
        )
        for name, route, width in (("sub/plain.mp4", "video", 64), (NAMES[4], "moment", 40)):
            browser.run(f"{links}[{names.index(name)}].click()")
            hit = hits[names.index(name)]
            row = next(
                row
                for row, path in enumerate(collection.paths)
                if path == name and collection.column("start")[row] == hit.start
            )
            played = browser.wait_for(f"{playing}({video})")
            assert played.split("#")[0] == f"{url}/{route}/{row}"
            assert browser.run(f"{video}.videoWidth") == width
            assert ("converted" in browser.run(f"{note}.textContent")) == (route == "moment")
            browser.run("document.querySelector('dialog button').click()")
            assert browser.wait_for("!document.querySelector('dialog')")

        browser.run("document.querySelectorAll('button[role=tab]')[1].click()")
        press = "[...document.querySelectorAll('button[data-does={}]')].find(e => e.offsetParent)"
        browser.wait_for(press.format("open"))
        browser.run(f"{press.format('open')}.click()")
        count = (collection.column("cluster") == 1).sum()
        browser.wait_for(f"!{press.format('open')} && {shown}.length === {count}")
        browser.run(f"{press.format('like')}.click()")
        # Two windows of the query's video are no hits.
        browser.wait_for(f"{shown}.length === 10 && !document.querySelector('dialog')")
        assert browser.run("document.querySelectorAll('textarea, input[type=text]')[0].value")
        assert browser.run("document.querySelectorAll('.slic img').length") > 10
        browser.wait_for("[...document.images].every(e => e.complete)")
        assert browser.run("[...document.images].every(e => e.naturalWidth)")
        assert browser.errors == []
        assert [u for u in browser.requested if not u.startswith((url, "data:", "blob:"))] == []
