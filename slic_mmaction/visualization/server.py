"""A local web server to search, play and browse a collection."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import tempfile
import threading
from contextlib import closing
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

# Read by gradio at its import: no analytics and no requests to the internet.
os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
try:
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI, HTTPException
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.responses import FileResponse, PlainTextResponse, Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
except ImportError as error:
    raise ImportError(
        "The page needs gradio, which is not installed: pip install 'slic-mmaction[view]'."
    ) from error

from ..collection import Collection
from ..collection.store import file_state
from ..decoding import UnreadableVideoError, open_reader
from .browser_page import HEAD, THEME, browser_page
from .gallery import video_strip
from .thumbnails import PLAYABLE

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEIGHT, _RATE = 480, 30  # largest height and frame rate of converted videos
# Paths that gradio's page needs. All others, such as those of files, are refused.
_OPEN = ("/assets/", "/static/", "/theme.css", "/config", "/favicon.ico", "/manifest.json",
         "/video/", "/moment/", "/thumbnail/", "/gradio_api/queue/", "/gradio_api/upload",
         "/gradio_api/heartbeat/", "/gradio_api/startup-events", "/gradio_api/info",
         "/gradio_api/cancel", "/gradio_api/reset")  # fmt: skip
_HEADERS = {
    # Gradio compiles its handlers and templates in the page, which requires 'unsafe-eval'.
    b"content-security-policy": b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    b"object-src 'none'; frame-ancestors 'self'; form-action 'self'",
    b"cross-origin-resource-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}


def serve(collection: Collection, host: str = "127.0.0.1", port: int = 7860) -> None:
    """Serve a page of a collection until the process is interrupted.

    Args:
        collection: Collection to serve.
        host: Address to listen at. With any other than loopback, others can see the videos.
        port: Port to listen at; 0 chooses a free one.

    Raises:
        OSError: If the port is in use.
    """
    listener = _listen(host, port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with listener, tempfile.TemporaryDirectory(prefix="slic_serve_") as temporary:
        app = build_app(collection, Path(temporary), host)
        if host not in LOOPBACK:
            print("Everyone who can reach this port can see the videos of the index.", flush=True)
        name = f"[{host}]" if ":" in host else host
        print(f"page: http://{name}:{listener.getsockname()[1]} (Ctrl-C ends it)", flush=True)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        _Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OSError(
            f"Cannot listen at {host}, port {port} ({reason}): choose another --port."
        ) from error


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        # Open pages keep their connections; cutting them off is not an error.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


def build_app(collection: Collection, temporary: Path, host: str = "127.0.0.1") -> FastAPI:
    """Build the web application of :func:`serve`.

    URLs of videos and pictures have the number of a row, never a path. A file is only served if
    its size and date are those at the time of indexing.

    Args:
        collection: Collection to serve. It is read once.
        temporary: Folder of uploaded and converted clips.
        host: Address of the server. On loopback, requests for another host are refused, because
            a page of another site could send them.
    """
    files = _Files(collection, temporary)
    app = FastAPI(openapi_url=None)

    @app.get("/video/{row:int}")
    def video(row: int) -> Response:
        path = files.video(row)
        kind = PLAYABLE.get(path.suffix.lower(), "application/octet-stream")
        return FileResponse(path, media_type=kind)

    @app.get("/moment/{row:int}")
    def moment(row: int) -> Response:
        return FileResponse(files.moment(row), media_type="video/mp4")

    @app.get("/thumbnail/{row:int}")
    def thumbnail(row: int) -> Response:
        headers = {"cache-control": "no-store"}  # the next index has other rows
        return Response(files.thumbnail(row), media_type="image/jpeg", headers=headers)

    os.environ["GRADIO_TEMP_DIR"] = str(temporary / "uploads")
    gr.mount_gradio_app(
        app, browser_page(collection), "/", footer_links=[], run_history=False, ssr_mode=False,
        mcp_server=False, pwa=False, theme=THEME, head=HEAD, max_file_size="4gb",
    )  # fmt: skip
    app.add_middleware(_Guard)
    allowed = ["127.0.0.1", "localhost", "[::1]"] if host in LOOPBACK else ["*"]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)
    return app


class _Guard:
    """Refuse paths that the page does not need, and forbid external resources."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path != "/" and (not path.startswith(_OPEN) or ".." in path):
                await PlainTextResponse("Not found", 404)(scope, receive, send)
                return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class _Files:
    """Videos and pictures by row."""

    def __init__(self, collection: Collection, temporary: Path) -> None:
        self.collection = collection
        self.temporary = temporary
        self.thumbnail = lru_cache(4096)(self._thumbnail)
        self._states = list(
            zip(collection.column("size").tolist(), collection.column("date").astype("int64"))
        )
        self._spans = list(zip(collection.column("start"), collection.column("end")))
        self._one_at_a_time = threading.Lock()

    def video(self, row: int) -> Path:
        """Return the file of a row, if it has not changed since it was indexed."""
        if row >= len(self._states):
            raise HTTPException(404, "The index has no such row.")
        path = self.collection.folder / self.collection.paths[row]
        try:
            state = file_state(path)
        except OSError as error:
            raise HTTPException(404, "This video is gone.") from error
        if state != self._states[row]:
            raise HTTPException(404, "This video has changed since it was indexed.")
        return path

    def moment(self, row: int) -> Path:
        """Convert the moment of a row to an MP4 file without sound, for browsers."""
        source, target = self.video(row), self.temporary / f"{row}.mp4"
        with self._one_at_a_time:
            if not target.exists():
                try:
                    _convert(source, *self._spans[row], target)
                except (UnreadableVideoError, OSError) as error:
                    raise HTTPException(404, "This video cannot be read.") from error
        return target

    def _thumbnail(self, row: int) -> bytes:
        try:
            image = video_strip(self.video(row), *self._spans[row], height=96, fill=24)
        except (UnreadableVideoError, OSError) as error:
            raise HTTPException(404, "This video cannot be read.") from error
        quality = [cv2.IMWRITE_JPEG_QUALITY, 75]
        return cv2.imencode(".jpg", image[..., ::-1], quality)[1].tobytes()


def _convert(source: Path, start: float, end: float, target: Path) -> None:
    """Write a moment of a video as small H.264, which is fast to convert."""
    part = target.with_suffix(".part")
    with closing(open_reader(str(source))) as reader:
        rate, shown = reader.timeline()
        step = max(1, math.ceil(rate / _RATE))
        shown = shown[int(start * rate) : max(1, round(min(end * rate, len(shown)))) : step]
        repeats = dict(zip(*(part.tolist() for part in np.unique(shown, return_counts=True))))
        with av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = container.add_stream(
                "libx264", rate=Fraction(rate / step).limit_denominator(1001)
            )
            stream.pix_fmt = "yuv420p"
            for number, image in reader.stream(list(repeats)):
                scale = min(1.0, _HEIGHT / image.shape[0])
                height, width = (max(2, 2 * round(side * scale / 2)) for side in image.shape[:2])
                if not stream.codec_context.is_open:
                    stream.height, stream.width = height, width
                small: Any = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
                for _ in range(repeats[number]):
                    frame = av.VideoFrame.from_ndarray(small, format="rgb24")
                    container.mux(stream.encode(frame))
            container.mux(stream.encode())
    os.replace(part, target)
