"""The page of a collection in the browser: search, clusters and duplicates, with gradio."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..collection import Collection
from .browser_html import ALL, VIDEOS, CollectionHtml
from .page import STYLE

THEME = gr.themes.Default(
    primary_hue="blue",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)
# A click on a card plays it; gradio handles the buttons only.
_SCRIPT = """
function play(link) {
  const box = document.createElement('dialog'), video = document.createElement('video');
  const name = document.createElement('p'), note = document.createElement('p');
  const close = document.createElement('button');
  const converted = "Browsers cannot play this file, so this is the moment alone, converted and " +
    "without sound.";
  box.className = 'slic player';
  name.textContent = link.textContent;
  note.className = 'note';
  close.textContent = 'Close';
  close.onclick = () => box.close();
  video.controls = video.autoplay = video.loop = true;
  video.src = link.href;
  if (link.pathname.startsWith('/moment/')) note.textContent = converted;
  video.onerror = () => {
    if (video.src.includes('/video/')) {
      note.textContent = converted;
      video.src = link.href.replace('/video/', '/moment/').split('#')[0];
    } else note.textContent = 'This video is gone, has changed or cannot be read.';
  };
  box.append(video, name, note, close);
  box.onclick = event => { if (event.target === box) box.close(); };
  box.onclose = () => { video.pause(); video.removeAttribute('src'); box.remove(); };
  document.body.append(box);
  box.showModal();
}
document.addEventListener('click', event => {
  const figure = event.target.closest('.slic figure');
  const link = figure?.querySelector('a.name');
  if (!link || event.target.closest('button') || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  play(link);
});
"""
_ON_LOAD = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-number]');
  if (!button) return;
  const number = Number(button.dataset.number);
  if (button.dataset.does === 'like') trigger('like', { number }); else trigger('open', { number });
});"""
_LOOK = """
:root { color-scheme: light dark }
.slic { --back: var(--background-fill-secondary); --card: var(--background-fill-primary);
  --text: var(--body-text-color); --faint: var(--body-text-color-subdued);
  --line: var(--border-color-primary); --accent: var(--link-text-color);
  --hole: var(--background-fill-secondary); color: var(--text); font-size: 15px; line-height: 1.5 }
.slic figure:has(a) { cursor: pointer }
.slic figure:hover .strip, .slic figure:has(:focus-visible) .strip {
  outline: 2px solid var(--accent) }
.slic, .slic * { font-family: var(--font) }
.slic h1, .slic h2 { font-weight: 600; color: inherit; overflow-wrap: anywhere }
.html-container { padding: 0 !important }
input[role=combobox] { text-overflow: ellipsis; padding-right: 26px !important }
.slic section.note { max-width: none; overflow-wrap: anywhere }
.file-preview a { pointer-events: none }
.slic section:first-child { margin-top: 0 }
.slic button { font: inherit; font-size: 13px; color: var(--accent); background: none;
  border: 0; padding: 2px 0; cursor: pointer }
.slic button:hover { text-decoration: underline }
.slic.player { border: 1px solid var(--line); border-radius: 12px; padding: 16px; margin: auto;
  background: var(--card); width: min(860px, calc(100vw - 24px)) }
.slic.player::backdrop { background: #000a }
.slic.player video { width: 100%; max-height: 65vh; margin: 0 0 10px; aspect-ratio: auto }
.slic.player button { float: right; font-size: 15px }
"""
HEAD = f"<style>.slic {{ {STYLE} }}\n{_LOOK}</style><script>{_SCRIPT}</script>"


def browser_page(collection: Collection) -> gr.Blocks:
    """Build the page, whose URLs of videos and thumbnails have the number of a row.

    Args:
        collection: Collection to show. It is read once; later changes need a new start.
    """
    html = CollectionHtml(collection)
    with gr.Blocks(title=f"{collection.folder.name} - slic", analytics_enabled=False) as page:
        gr.HTML(html.header(), apply_default_css=False)
        with gr.Tabs() as tabs:
            with gr.Tab("Search", id="search"), gr.Row():
                with gr.Column(scale=1, min_width=280):
                    clip = gr.File(label="Drop a clip", file_types=["video"], height=150)
                    video = gr.Dropdown(html.videos(), value=None, label="or choose a video")
                    with gr.Row():
                        start = gr.Textbox(label="from (s)", placeholder="0", min_width=80)
                        end = gr.Textbox(label="to (s)", placeholder="end", min_width=80)
                    top = gr.Slider(4, 100, 12, step=1, label="Moments to find")
                    button = gr.Button("Search", variant="primary")
                with gr.Column(scale=3, min_width=320):
                    found = gr.HTML(html.hint(), js_on_load=_ON_LOAD, apply_default_css=False)
            with gr.Tab("Clusters", id="clusters"):
                cluster = gr.Dropdown(html.clusters(), value=ALL, label="Cluster")
                gallery = gr.HTML(html.cluster(ALL), js_on_load=_ON_LOAD, apply_default_css=False)
            with gr.Tab("Duplicates", id="duplicates"):
                with gr.Row():
                    look = gr.Button("Look for duplicates", scale=0, min_width=220)
                groups = gr.HTML(html.duplicates(), js_on_load=_ON_LOAD, apply_default_css=False)

        query = [clip, video, start, end]
        search: dict[str, Any] = dict(
            fn=html.search, inputs=[*query, top], outputs=found, scroll_to_output=True
        )

        def like(event: gr.EventData) -> list[Any]:
            row = event.number
            path = collection.paths[row]
            chosen = gr.Dropdown(html.videos(path), value=html.first[path])
            span = [f"{seconds[row]:g}" for seconds in (html.starts, html.ends)]
            return [gr.Tabs(selected="search"), None, chosen, *span]

        def choices(event: gr.KeyUpData) -> gr.Dropdown:
            return gr.Dropdown(html.videos(event.input_value))

        if len(html.first) > VIDEOS:
            video.key_up(choices, None, video, show_progress="hidden")
        clip.upload(lambda: [None] * 3, None, [video, start, end]).then(**search)
        video.input(lambda: [None] * 3, None, [clip, start, end]).then(**search)
        gr.on([button.click, start.submit, end.submit], **search)
        cluster.input(html.cluster, cluster, gallery)
        gallery.open(_number, None, cluster).then(html.cluster, cluster, gallery)
        look.click(html.find_duplicates, None, groups)
        for shown in (found, gallery, groups):
            shown.like(like, None, [tabs, *query]).then(**search)
    return page


def _number(event: gr.EventData) -> int:
    return event.number
