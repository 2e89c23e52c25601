"""The page of `slic serve` as HTML, and in a browser."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.collection import Collection
from slic_mmaction.visualization import browser_html
from slic_mmaction.visualization.browser_html import ALL, CollectionHtml
from slic_mmaction.visualization.page import visible

from .chromium import PROGRAM, chromium
from .parsed_page import Parsed
from .served import NAMES, slic_serve

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


def test_names_are_harmless_and_every_card_has_its_row(
    served_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = Collection(served_index)
    html = CollectionHtml(collection)
    with open(served_index / "duplicates.csv", "w", newline="") as file:
        file.write("group,keep,path,width,height,seconds,bytes,mirrored\n")
        for name, keep in (("link.mp4", True), (NAMES[3], False), ("not/indexed.mp4", False)):
            file.write(f"0,{keep},{name},40,32,0.8,1234,{not keep}\n")
    try:
        duplicates = html.duplicates()
    finally:
        os.remove(served_index / "duplicates.csv")
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
    assert f'href="/video/{plain}#t=0,0.4"' in duplicates and "duplicate, mirrored" in duplicates
    assert f'href="/moment/{first[NAMES[1]]}"' in html.search(None, plain, "", "", 20)
    in_one = re.findall("/thumbnail/([0-9]+)", html.cluster(1))
    order = np.argsort(collection.column("distance"), kind="stable")
    assert in_one == [str(row) for row in order if collection.column("cluster")[row] == 1]
    monkeypatch.setattr(browser_html, "VIDEOS", 2)
    assert len(html.videos()) == 2
    assert html.videos("LAIN.MP4") == [("sub/plain.mp4", plain)]


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")
def test_in_a_browser(served_index: Path, tmp_path: Path) -> None:
    """Search by a click, play what browsers play and what they do not, open a cluster, go on."""
    collection = Collection(served_index)
    with (
        slic_serve(served_index, tmp_path) as (_, (page,)),
        chromium(tmp_path / "profile") as browser,
    ):
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
