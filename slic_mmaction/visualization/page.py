"""Self-contained HTML pages with one style, no external resources and escaped names."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..durable_file import write_text

# Only the page's own scripts, and no external resources, even if a name contains HTML.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "media-src 'self' file:; form-action 'none'"
)
# Strong colours first; all stand out on white and on black.
COLOURS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf"),
    *("#bcbd22", "#3b5bdb", "#0b8a6a", "#c2255c", "#e8a100", "#7048e8", "#6fa8dc", "#f4a261"),
    *("#82c96a", "#f28482", "#b39ddb", "#a1887f"),
)
STYLE = """
:root { color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1b1f24; --faint: #626b76;
  --line: #dfe3e8; --accent: #0b6bcb; --hole: #e6e9ed }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --card: #1d2126; --text: #e7eaee;
  --faint: #98a2ae; --line: #30363d; --accent: #6cb4ff; --hole: #2a2f36 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif }
main { max-width: 1240px; margin: 0 auto; padding: 28px 20px 48px }
h1 { font-size: clamp(20px, 5.5vw, 26px); line-height: 1.25; margin: 0 0 4px;
  overflow-wrap: anywhere }
h2 { font-size: 18px; margin: 0 }
h3 { font-size: 12px; font-weight: 600; margin: 14px 0 6px; color: var(--faint);
  text-transform: uppercase; letter-spacing: .05em }
p { margin: 4px 0; overflow-wrap: anywhere }
a { color: var(--accent); text-decoration: none } a:hover { text-decoration: underline }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace }
pre { margin: 8px 0 0; padding: 12px; overflow-x: auto; background: var(--back);
  border-radius: 8px }
.note { color: var(--faint); max-width: 75ch }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 18px 20px; margin-top: 18px }
section > :nth-child(2) { margin-top: 10px } section > .note { margin: 0 0 10px; max-width: none }
section > .note:nth-child(2) { margin-top: 2px }
.facts { display: flex; flex-wrap: wrap; gap: 8px 36px; margin: 18px 0 0 }
.facts dt { color: var(--faint); font-size: 13px }
.facts dd { margin: 0; font-size: 21px; font-weight: 600; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th { text-align: left; color: var(--faint); font-size: 13px; font-weight: 600 }
th, td { padding: 7px 18px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere }
td.number, th.number { text-align: right; white-space: nowrap }
tr:last-child td { border-bottom: 0 }
.moments { display: grid; gap: 14px 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(210px, 100%), 1fr)) }
.moments.large { grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)) }
figure { margin: 0; min-width: 0; position: relative }
.badge { position: absolute; top: 7px; left: 7px; min-width: 24px; padding: 1px 7px;
  border-radius: 12px; background: #000a; color: #fff; font-size: 13px; font-weight: 600;
  text-align: center }
figcaption { font-size: 13px; line-height: 1.4; margin-top: 5px }
figcaption .name { display: block; overflow-wrap: anywhere; unicode-bidi: isolate }
figcaption .file { display: inline-block }
figcaption .folder, figcaption .details { color: var(--faint) }
figcaption .details { display: block; font-variant-numeric: tabular-nums }
.strip { display: block; width: 100%; aspect-ratio: 4; border-radius: 6px; object-fit: cover;
  background: var(--hole) }
div.strip { display: grid; place-items: center; color: var(--faint); font-size: 13px }
summary { cursor: pointer; color: var(--accent); font-size: 13px; margin-top: 2px }
video { display: block; width: 100%; aspect-ratio: 4 / 3; margin-top: 6px; border-radius: 6px;
  background: #000 }
footer { color: var(--faint); font-size: 13px; margin-top: 24px }
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<header>
<h1>{{ title }}</h1>
{% for line in notes %}<p class="note">{{ line }}</p>
{% endfor %}</header>
{% for part in parts %}{{ part }}
{% endfor %}<footer>Made by slic-mmaction. This page is one file and loads nothing from the
internet.</footer>
</main>
</body>
</html>
"""


def visible(value: Any) -> Any:
    """Escape line ends and control characters of a text; return other values unchanged."""
    if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return value


_environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=visible)


def render(template: str, **values: Any) -> Markup:
    """Fill a Jinja template, escaping every value except markup."""
    return Markup(_environment.from_string(template).render(values))


def write_page(
    path: str | Path, title: str, notes: Iterable[str | Markup], parts: Iterable[Markup]
) -> Path:
    """Write a page atomically, and return its path.

    Args:
        path: Path of the HTML file.
        title: Title of the page.
        notes: Lines below the title.
        parts: Parts from :func:`section`, :func:`facts` and similar functions, in order.
    """
    style = Markup(STYLE)
    values = dict(title=title, notes=list(notes), parts=list(parts), style=style, policy=_POLICY)
    write_text(path, render(_PAGE, **values))
    return Path(path)


def section(title: str, *body: Markup, note: str | Markup = "") -> Markup:
    """Make a framed part of a page with a heading and a note."""
    return render(
        '<section><h2>{{ title }}</h2>{% if note %}<p class="note">{{ note }}</p>{% endif %}'
        "{% for part in body %}{{ part }}{% endfor %}</section>",
        title=title,
        body=body,
        note=note,
    )


def facts(values: Mapping[str, Any]) -> Markup:
    """Make a list of figures in large type, with their names."""
    values = {
        name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()
    }
    return render(
        '<dl class="facts">{% for name, value in values.items() %}'
        "<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>",
        values=values,
    )


def table(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Make a table of rows with the same keys, the headings; numbers are right-aligned."""
    numeric = {
        name: all(isinstance(row[name], (int, float)) or row[name] is None for row in rows)
        for name in (rows[0] if rows else ())
    }
    return render(
        '<div class="wide"><table><thead><tr>{% for name, right in numeric.items() %}'
        '<th{% if right %} class="number"{% endif %}>{{ name }}</th>{% endfor %}</tr></thead>'
        "<tbody>{% for row in rows %}<tr>{% for name, right in numeric.items() %}"
        '<td{% if right %} class="number"{% endif %}>'
        '{{ "" if row[name] is none else row[name] }}</td>'
        "{% endfor %}</tr>{% endfor %}</tbody></table></div>",
        rows=rows,
        numeric=numeric,
    )


def count_of(number: int, what: str) -> str:
    """Format a number of things: ``1 video``, ``2 videos``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def data_uri(kind: str, content: bytes) -> str:
    """Encode the content of a file of a MIME type as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
