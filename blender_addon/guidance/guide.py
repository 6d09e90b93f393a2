"""The guide: docs/blender.md, which the extension carries, shown in the web browser."""

import html
from pathlib import Path

import bpy

from ..operators.base import LineOperator

PAGE_NAME = "datasetnerf-guide.html"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>DatasetNeRF in Blender</title>
<style>body {{ margin: 2em auto; max-width: 60em; }} pre {{ white-space: pre-wrap; font: 15px/1.5 sans-serif; }}</style></head>
<body><pre>{text}</pre></body></html>
"""


class DNERF_OT_show_guide(LineOperator, bpy.types.Operator):
    """Read how everything here is used; the guide opens in the web browser, and lies on this computer"""

    bl_idname = "dnerf.show_guide"
    bl_label = "Guide"

    def act(self, context: bpy.types.Context) -> None:
        page = Path(bpy.app.tempdir, PAGE_NAME)
        page.write_text(guide_page(), "utf-8")
        bpy.ops.wm.url_open(url=page.as_uri())


def guide_page() -> str:
    """The guide as a page for a web browser: its text, as it is written."""
    text = Path(__file__).parents[1].joinpath("guide.md").read_text("utf-8")
    return _PAGE.format(text=html.escape(text))


CLASSES = (DNERF_OT_show_guide,)
