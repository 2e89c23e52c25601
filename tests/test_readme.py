"""The README's Python runs as it is written, and what the docs point to is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/results/*.md")]


def test_python_of_the_readme_runs() -> None:
    readme = ROOT / "README.md"
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(readme), "exec"), {})


def test_links_of_the_docs_lead_somewhere() -> None:
    links = [
        (page, *link.partition("#")[::2])
        for page in PAGES
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if not link.startswith("http")
    ]
    assert len(links) > 50
    for page, path, heading in links:
        target = page.parent / path if path else page
        assert target.exists(), f"{page}: {path}"
        titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if heading else []
        names = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
        assert heading in ["", *names], f"{page}: {path}#{heading}"
