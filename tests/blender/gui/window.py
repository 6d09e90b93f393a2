"""A real Blender with a window, driven by the mouse and the keyboard, from outside of it: the side panel and its buttons."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from tests.blender.gui.screen import GUI, HEIGHT_PX, REPOSITORY, Root, Screen

__all__ = ["GUI", "HEIGHT_PX", "REPOSITORY", "Root", "Window"]

What = Literal["operator", "property"]
_STEP_PX = 18
"""Less than the height of a button, 20."""
_HALF_BUTTON_PX = 10
_HEADER_PX = 26
"""From the header of a closed panel to the next."""
_ANIMATION_S = 0.4
"""As long as Blender moves the panels below one that is opened or closed, and a little more."""
_seen: dict[tuple[str, str], dict[tuple[int, int], tuple[str, str]]] = {}
"""By root and region, what was last seen under the mouse at a place: where a button was is where it is looked for first."""
_learnt: dict[tuple[str, ...], dict[str, int]] = {}
"""By the root and the panels there are, how far below the anchor the header of each is."""


class Window(Screen):
    """Blender's window, at the top left of a screen of its own. Use it in a `with` block."""

    def __init__(self, root: Root, *, blend: str | None = None) -> None:
        self.headers: dict[str, int] = {}
        self._below, self._anchor = "", (0, 0)
        self.prepare: Callable[[], None] = lambda: None
        super().__init__(root, blend=blend)

    def start(self, blend: str | None = None) -> None:
        self.headers.clear()
        super().start(blend)

    def open_side_panel(self) -> None:
        """Show the side panel's tab DatasetNeRF, and learn where the headers of its closed panels are."""
        self.ask(_OPEN_PANEL)
        self.until("tab_is_shown()", 20.0)
        self.settle()

    def box(self, region: str = "side_region()") -> tuple[int, int, int, int]:
        """A region of Blender on the screen: left, top, right, bottom."""
        x, y, width, height = self.value(f"place_of({region})")
        return x, HEIGHT_PX - y - height, x + width, HEIGHT_PX - y

    def probe(self, x: int, y: int, what: What = "operator", region: str = "side_region()") -> str:
        """What Blender has under the mouse there: the Python of what the button does, or of the property that it shows."""
        self._xdotool("mousemove", str(x - 3), str(y), "mousemove", str(x), str(y))
        operator, property_path = self.ask(f"{_UNDER_MOUSE}\nout = under_mouse({region})", rounds=3)
        places = _seen.setdefault((self.root.path.name, region), {})
        places.pop((x, y), None)
        places[x, y] = operator, property_path
        return str(operator if what == "operator" else property_path)

    def scroll(self, steps: int) -> None:
        """Turn the wheel over the side panel: towards its end, or with fewer than 0 steps towards its beginning."""
        left, top, right, bottom = self.box()
        self.hover((left + right) // 2, (top + bottom) // 2)
        self._xdotool(*["click", "5" if steps > 0 else "4"] * abs(steps))
        self.settle()

    def find(
        self,
        text: str,
        *,
        what: What = "operator",
        top: int | None = None,
        columns: tuple[float, ...] = (0.5, 0.93, 0.06),
        region: str = "side_region()",
    ) -> tuple[int, int]:
        """Where a button of a side panel is whose Python contains `text`; `columns` are the shares of the width to look at.

        The place is in the button's upper half.
        """
        left, region_top, right, bottom = self.box(region)
        rows = range(region_top + 6 if top is None else top, bottom - 4)
        columns_px = [int(left + 8 + share * (right - left - 36)) for share in columns]
        for x, y in self._likely_places(text, what, region, columns_px):
            if y in rows and text in self.probe(x, y, what, region):
                return self._upper_half(text, what, region, (x, y), rows)
        for x in columns_px:
            for y in rows[::_STEP_PX]:
                if text in self.probe(x, y, what, region):
                    return self._upper_half(text, what, region, (x, y), rows)
        self.screenshot("not-found")
        raise AssertionError(f"no button {text!r} in the side panel; see not-found.png")

    def _likely_places(self, text: str, what: What, region: str, columns_px: list[int]) -> list[tuple[int, int]]:
        """Where it was seen last, and a little above and below: what is above may have become longer or shorter."""
        places = _seen.get((self.root.path.name, region), {})
        which = ("operator", "property").index(what)
        known = [place for place, texts in places.items() if text in texts[which] and place[0] in columns_px][-1:-4:-1]
        near = [(x, y + sign * steps * _STEP_PX) for x, y in known[:1] for steps in range(1, 7) for sign in (1, -1)]
        return [*known, *near]

    def _upper_half(self, text: str, what: What, region: str, place: tuple[int, int], rows: range) -> tuple[int, int]:
        x, y = place
        above = y - _HALF_BUTTON_PX
        return (x, above) if above in rows and text in self.probe(x, above, what, region) else place

    def press(self, operator: str, **place: Any) -> None:
        """Click the button of an operator, such as `dnerf.render_views`."""
        self.click(*self.find(operator, **place))

    def press_property(self, name: str, **place: Any) -> None:
        """Click the button of a property of `scene.dnerf`."""
        self.click(*self.find(f"dnerf.{name}", what="property", **place))

    # --- the headers of closed panels

    def learn_headers(self, below: str, *, anew: bool = False) -> None:
        """Find the headers of the closed panels, which lie under the button of the property `below`, by opening and closing each.

        Where an earlier window had the same panels, its distances are taken; `panel` sees whether they are right. `anew`: not so.
        """
        x_found, y_found = self.find(f"dnerf.{below}", what="property")
        self._below, self._anchor = below, (x_found, y_found + 5)  # off the edge, which may shift by a pixel
        known = (self.root.path.name, *self.value("closed_panels()"))
        if anew or known not in _learnt:
            _learnt[known] = self._open_each()
        self.headers = {name: self._anchor[1] + distance for name, distance in _learnt[known].items()}

    def _open_each(self) -> dict[str, int]:
        left, _, right, bottom = self.box()
        x, y, missed = left + int(0.4 * (right - left)), self._anchor[1] + 16, 0
        found: dict[str, int] = {}
        while missed < 4 and y < bottom - 6:
            opened = self._click_header(x, y, closes=False)
            if opened:
                found[opened] = y - self._anchor[1]
                self._click_header(x, y, closes=True)
            missed = 0 if opened else missed + 1
            y += _HEADER_PX if opened else 7
        return found

    def _click_header(self, x: int, y: int, *, closes: bool) -> str:
        """Returns the panel that is drawn now and was not; empty where it closes one, or nothing is there."""
        self.ask("drawn.clear()")
        self.click(x, y)
        opened = self.value("[name for name in drawn if name not in ALWAYS_OPEN]")
        if opened or closes:
            time.sleep(_ANIMATION_S)
            self.settle()
        return "" if closes or not opened else str(opened[0])

    def _shift_px(self) -> int:
        """How much lower the panels are than when their headers were learnt: the status may have become longer."""
        text = f"dnerf.{self._below}"
        x, y = self._anchor
        for shift in sorted(range(-105, 106, 21), key=abs):
            if text in self.probe(x, y + shift, "property"):
                return shift
        self.screenshot("not-found")
        raise AssertionError(f"no button {text!r} near {self._anchor}; see not-found.png")

    @contextmanager
    def panel(self, name: str) -> Iterator[int]:
        """Open a panel, such as `DNERF_PT_views`, by a click on its header, and close it in the end; yields where it begins."""
        left, _, right, _ = self.box()
        x, y = left + int(0.4 * (right - left)), self.headers[name] + self._shift_px()
        self.ask("drawn.clear()")
        self.click(x, y)
        self.until(f"drawn.get({name!r})", 5.0)
        time.sleep(_ANIMATION_S)
        self.settle()
        try:
            yield y + 14
        finally:
            self.scroll(-40)
            self._click_header(x, self.headers[name] + self._shift_px(), closes=True)


_UNDER_MOUSE = """
def under_mouse(region):
    window, area = next((w, a) for w in bpy.context.window_manager.windows for a in w.screen.areas if region in list(a.regions))
    manager, found = bpy.context.window_manager, []
    with bpy.context.temp_override(window=window, area=area, region=region):
        for copy, options in ((bpy.ops.ui.copy_python_command_button, {}), (bpy.ops.ui.copy_data_path_button, {"full_path": True})):
            manager.clipboard = ""
            if copy.poll():
                copy(**options)
            found.append(manager.clipboard)
    return found
"""
"""By what Ctrl+C and Ctrl+Alt+Shift+C do over a button."""
_OPEN_PANEL = """
ALWAYS_OPEN = ('DNERF_PT_main', 'DNERF_PT_model', 'DNERF_PT_subject')

def view_area():
    areas = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "VIEW_3D"]
    return areas[0]

def side_region():
    return next(r for r in view_area().regions if r.type == "UI")

def paint_region(kind="UI"):
    editors = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.ui_type == "IMAGE_EDITOR"]
    return next(r for r in editors[0].regions if r.type == kind)

def place_of(region):
    for window in bpy.context.window_manager.windows:
        if any(r == region for a in window.screen.areas for r in a.regions):
            return [window.x + region.x, window.y + region.y, region.width, region.height]

def tab_is_shown():
    try:
        side_region().active_panel_category = "DatasetNeRF"
    except TypeError:  # its tabs are not known before it has been drawn
        return False
    view_area().tag_redraw()
    return "DNERF_PT_main" in drawn

def own_panels():
    return [cls for cls in bpy.types.Panel.__subclasses__() if cls.__name__.startswith("DNERF_PT_")]

def closed_panels():
    below_main = [cls for cls in own_panels() if getattr(cls, "bl_parent_id", "") == "DNERF_PT_main"]
    shown = [cls.__name__ for cls in below_main if not hasattr(cls, "poll") or cls.poll(bpy.context)]
    return sorted(name for name in shown if name not in ALWAYS_OPEN)

drawn = {}
def count(cls):
    draw = cls.draw
    def counted(self, context):
        drawn[cls.__name__] = drawn.get(cls.__name__, 0) + 1
        draw(self, context)
    return counted

for panel in own_panels():
    panel.draw = count(panel)

# or the viewport below is drawn again with every move of the mouse over the panel
bpy.context.preferences.system.use_region_overlap = False
view_area().spaces.active.show_region_ui = True
"""
