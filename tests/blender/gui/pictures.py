"""Pictures of docs/images made of the window that tests drive, in Blender's dark and light theme, or compared with it.

`DNERF_PICTURES=1` writes them, each with a text file of all that its panels say. Otherwise what the panels say has to be what that file
has, and in the same Blender the screen has to look like the dark picture from far away: pixels differ by font and graphics card.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tests.blender.gui.window import REPOSITORY, Window

IMAGES = REPOSITORY / "docs" / "images"
WRITES = os.environ.get("DNERF_PICTURES") == "1"
THEMES = {"dark": "Blender_Dark", "light": "Blender_Light"}
_BLOCK_PX = 24
_MOST_DIFFERENCE = 1.5
"""Of blocks of `_BLOCK_PX` pixels in the mean, of 255. The same screen again gives 0.4, panels that lie a row lower 1.9."""
_LABEL = "label: "
_AGAIN = "make the pictures anew: DNERF_PICTURES=1 pytest -m gui, with the test that says so, and look at them"
RECORD = """
import os, re
from types import SimpleNamespace

class Recorder:
    "Hands on to a layout, and writes down what is drawn."
    def __init__(self, layout, lines):
        vars(self).update(layout=layout, lines=lines)
    def __setattr__(self, name, value):
        setattr(self.layout, name, value)
    def __getattr__(self, name):
        found = getattr(self.layout, name)
        if not callable(found):
            return found
        def call(*args, **more):
            args = [arg.panel if isinstance(arg, Drawn) else arg for arg in args]  # preferences draw their own properties
            line = said(name, args, more)
            if line:
                self.lines.append(line)
            result = found(*args, **more)
            return Recorder(result, self.lines) if isinstance(result, bpy.types.UILayout) else result
        return call

def said(name, args, more):
    text = more.get("text")
    if name in ("label", "progress"):
        return f"{name}: {re.sub('[0-9]+', '#', text)}" if text else ""
    if name == "operator":
        module, rest = args[0].split(".")
        kind = getattr(bpy.types, f"{module.upper()}_OT_{rest}")
        shown = (getattr(kind, "bl_label", kind.bl_rna.name) if text is None else text) or "(icon)"
        return f"button: {shown}"
    if name == "prop":
        if args[1].startswith("["):  # an input of a modifier
            return f"field: {text}"
        about = args[0].bl_rna.properties[args[1]]
        if more.get("expand"):
            return "choice: " + " | ".join(item.name for item in about.enum_items)
        return f"field: {about.name if text is None else text}".rstrip()
    return "list" if name == "template_list" else ""

recorded = {}
def record(cls):
    draw = cls.draw
    def recording(self, context):
        lines = []
        draw(Drawn(self, Recorder(self.layout, lines)), context)
        recorded[cls.__name__] = lines
    cls.draw = recording

class Drawn:
    "A panel with another layout."
    def __init__(self, panel, layout):
        vars(self).update(panel=panel, layout=layout)
    def __getattr__(self, name):
        return getattr(self.panel, name)

def all_areas():
    return [area for window in bpy.context.window_manager.windows for area in window.screen.areas]
def use_theme(name):
    folder = bpy.utils.preset_paths("interface_theme")[0]
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.script.execute_preset(filepath=os.path.join(folder, name + ".xml"), menu_idname="USERPREF_MT_interface_theme_presets")
"""


def record_panels(window: Window, names: Sequence[str]) -> None:
    """Let panels, by the names of their classes, write down from now on what they say."""
    window.ask(RECORD)
    window.ask("kinds = (*bpy.types.Panel.__subclasses__(), *bpy.types.AddonPreferences.__subclasses__())")
    window.ask(f"[record(cls) for cls in kinds if cls.__name__ in {list(names)!r}]")


def keep_picture(window: Window, name: str, box: tuple[int, int, int, int], panels: Sequence[str]) -> None:
    """Write a picture in both themes, or compare what is there.

    Args:
        name: of the files in docs/images, such as `blender-cloud`.
        box: left, top, right, bottom on the screen.
        panels: those that it shows, for `record_panels` was called.
    """
    window.ask("recorded.clear(); [area.tag_redraw() for area in all_areas()]")
    window.until(f"set(recorded) >= set({list(panels)!r})", 10)
    texts = "".join(f"# {panel}\n" + joined_labels(window.value(f"recorded[{panel!r}]")) for panel in panels)
    version = f"Blender {window.value('bpy.app.version_string').rpartition('.')[0]}"
    if WRITES:
        _write(window, name, box)
        (IMAGES / f"{name}.txt").write_text(f"{version}\n{texts}", "utf-8")
        return
    of_version, _, expected = (IMAGES / f"{name}.txt").read_text("utf-8").partition("\n")
    assert texts == expected, f"docs/images/{name}: the panels say other things now; {_AGAIN}"
    if version != of_version:
        print(f"{name}: looks are not compared, the picture is of {of_version}")
        return
    size = (box[2] - box[0], box[3] - box[1])
    pictures = {theme: Image.open(IMAGES / f"{name}-{theme}.png") for theme in THEMES}
    assert {picture.size for picture in pictures.values()} == {size}, f"docs/images/{name}: of another size; {_AGAIN}"
    with Image.open(window.screenshot(f"picture-{name}")) as shot:
        difference = seen_from_afar(shot.crop(box), pictures["dark"])
    print(f"{name}: {difference:.1f} of 255 beside the committed picture")
    assert difference < _MOST_DIFFERENCE, f"docs/images/{name}: looks otherwise now ({difference:.1f}); {_AGAIN}"


def joined_labels(lines: Sequence[str]) -> str:
    """What a panel has said, a line each, but labels in a row as one: where their text breaks depends on its numbers."""
    joined: list[str] = []
    for line in lines:
        if joined and line.startswith(_LABEL) and joined[-1].startswith(_LABEL):
            joined[-1] += f" {line.removeprefix(_LABEL)}"
        else:
            joined.append(line)
    return "".join(f"{line}\n" for line in joined)


def seen_from_afar(first: Image.Image, second: Image.Image) -> float:
    """The mean difference of two pictures' blocks, of 255."""
    size = (first.width // _BLOCK_PX, first.height // _BLOCK_PX)
    small = [np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), np.float64) for image in (first, second)]
    return float(np.abs(small[0] - small[1]).mean())


def _write(window: Window, name: str, box: tuple[int, int, int, int]) -> None:
    for theme, preset in THEMES.items():
        window.ask(f"use_theme({preset!r})")
        time.sleep(1.5)
        with Image.open(window.screenshot(f"picture-{name}-{theme}")) as shot:
            shot.convert("RGB").crop(box).save(IMAGES / f"{name}-{theme}.png", optimize=True)  # labels in their exact colours
    window.ask(f"use_theme({THEMES['dark']!r})")
    time.sleep(1.0)
