"""MkDocs hook that converts links of a code host and roles of Sphinx for the site."""

from __future__ import annotations

import os
import re
from typing import Any

_ROLE = re.compile(r":(?:attr|class|func|meth|mod):(<code>)[~.]*(?:[a-z_]+\.)*")
_LINK = re.compile(r"(!?)\[([^\]]+)\]\((\.\./[^)#\s]+)[^)\s]*\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Replace links to files such as ``../configs/x.py``, which are not part of the site."""
    folder = os.path.dirname(page.file.abs_src_path)
    root = os.path.dirname(config.config_file_path)

    def replace(match: re.Match[str]) -> str:
        image, text, link = match.groups()
        target = os.path.normpath(os.path.join(folder, link))
        if target.startswith(config.docs_dir + os.sep):
            return match.group()
        path = os.path.relpath(target, root)
        name = os.path.basename(path)
        if name == f"slic_{text}_ucf101.py":  # the table of backbones
            return f"`{text}`"
        return f"`{path}`" if image or name in text else f"{text} (`{path}`)"

    return _LINK.sub(replace, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Replace roles of Sphinx in docstrings: ``:class:`~a.B``` becomes ``B``."""
    return _ROLE.sub(r"\1", html)
