"""A layout that panels draw into without a window: it knows how high the result is, and which texts would be cut.

As Blender does it: a column stacks its parts, a row gives each the same share, but to those with an icon alone. Heights are in rows.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import bpy

UNIT_PX = 20
_WANTED_PX = 10 * UNIT_PX
"""What anything with a text would like to have."""
_SIDE_PX = 10
"""What a button has to the left and the right of its text, both together."""
_FIELD_SHARE = 3 / 4
"""Of a property with its name before it."""


class Part:
    """A drawn thing: how high it is, how wide it would like to be, the texts on it."""

    def __init__(self, height: float, wanted_px: float, text: str = "", room_px: float = 0.0, operator: str = "") -> None:
        self.height, self.wanted_px, self.text, self.room_px, self.operator = height, wanted_px, text, room_px, operator


class PanelLayout:
    """Stands for a `bpy.types.UILayout`.

    Attributes:
        enabled, active, scale_y: as there.
    """

    def __init__(self, measure: Callable[[str], float], scale: float, *, across: bool = False) -> None:
        self.enabled = self.active = True
        self.scale_y = 1.0
        self.parts: list[Part | PanelLayout] = []
        self._measure, self._scale, self._across = measure, scale, across

    # --- what came of it

    @property
    def height(self) -> float:
        """In rows."""
        heights = [part.height for part in self.parts]
        return (max(heights, default=0.0) if self._across else sum(heights)) * self.scale_y

    @property
    def wanted_px(self) -> float:
        wanted = [part.wanted_px for part in self.parts]
        return sum(wanted) if self._across else max(wanted, default=0.0)

    def cut_texts(self, width_px: float) -> list[str]:
        """The texts that do not fit where the whole is so wide."""
        found: list[str] = []
        total = sum(part.wanted_px for part in self.parts) if self._across else 0.0
        for part in self.parts:
            share_px = width_px * part.wanted_px / total if self._across and total else width_px
            if isinstance(part, PanelLayout):
                found += part.cut_texts(share_px)
            elif part.text and part.room_px > share_px + 0.5:
                found.append(f"{part.text!r}: {part.room_px:.0f} px where there are {share_px:.0f}")
        return found

    def operators(self) -> list[str]:
        """Of the buttons, in order, each with whether it is enabled."""
        found: list[str] = []
        for part in self.parts:
            found += part.operators() if isinstance(part, PanelLayout) else [part.operator] if part.operator else []
        return found

    def texts(self) -> list[str]:
        """All that is written."""
        found: list[str] = []
        for part in self.parts:
            found += part.texts() if isinstance(part, PanelLayout) else [part.text] if part.text else []
        return found

    # --- what panels call

    def _inside(self, *, across: bool) -> PanelLayout:
        layout = PanelLayout(self._measure, self._scale, across=across)
        self.parts.append(layout)
        return layout

    def row(self, align: bool = False, **_: Any) -> PanelLayout:
        return self._inside(across=True)

    def column(self, align: bool = False, **_: Any) -> PanelLayout:
        return self._inside(across=False)

    def box(self) -> PanelLayout:
        return self._inside(across=False)

    def split(self, factor: float = 0.5, align: bool = False) -> PanelLayout:
        return self._inside(across=True)

    def grid_flow(self, columns: int = 1, **_: Any) -> PanelLayout:
        return self._inside(across=False)

    def separator(self, **_: Any) -> None:
        self.parts.append(Part(0.3, 0.0))

    def label(self, text: str = "", icon: str = "NONE", icon_value: int = 0, **_: Any) -> None:
        self._put(text, icon != "NONE" or icon_value != 0)

    def operator(self, name: str, text: str | None = None, icon: str = "NONE", icon_value: int = 0, **_: Any) -> Any:
        module, rest = name.split(".")
        kind = getattr(bpy.types, f"{module.upper()}_OT_{rest}")
        self._put(kind.bl_rna.name if text is None else text, icon != "NONE" or icon_value != 0, operator=name)
        return SimpleNamespace()

    def progress(self, factor: float = 0.0, text: str = "", **_: Any) -> None:
        self._put(text, icon=False)

    def template_icon(self, icon_value: int, scale: float = 1.0) -> None:
        self.parts.append(Part(scale, scale * UNIT_PX * self._scale))

    def template_list(self, *_: Any, rows: int = 5, **__: Any) -> None:
        self.parts.append(Part(float(rows), 5 * UNIT_PX * self._scale))

    def prop_search(self, data: Any, name: str, *_: Any, text: str | None = None, **__: Any) -> None:
        self.prop(data, name, text=text)

    def prop(
        self,
        data: Any,
        name: str,
        text: str | None = None,
        toggle: bool = False,
        icon: str = "NONE",
        expand: bool = False,
        **_: Any,
    ) -> None:
        about = data.bl_rna.properties[name]
        title = about.name if text is None else text
        if expand:
            for item in about.enum_items:
                self._put(item.name, icon=False)
        elif about.type in ("STRING", "POINTER") or (about.type == "ENUM" and title):
            field_px = 5 * UNIT_PX * self._scale
            self._put(f"{title}:" if title else "", icon=False, share=1 - _FIELD_SHARE if title else 1.0, more_px=field_px)
            if about.type == "ENUM":
                for item in about.enum_items:
                    self.parts.append(
                        Part(0.0, 0.0, item.name, (self._measure(item.name) + 2 * UNIT_PX * self._scale) / _FIELD_SHARE)
                    )
        elif about.type in ("INT", "FLOAT"):
            digits = f"{getattr(data, name):.{about.precision}f}" if about.type == "FLOAT" else str(getattr(data, name))
            self._put(f"{title}  {digits}", icon=False, more_px=18 * self._scale)  # with its two arrows
        elif about.type == "ENUM":
            for item in about.enum_items:
                self.parts.append(Part(0.0, 0.0, item.name, self._measure(item.name) + 2 * UNIT_PX * self._scale))
            self._put("", icon=False)
        else:  # a switch has its box before the name
            self._put(title, icon=not toggle or icon != "NONE")

    def _put(self, text: str, icon: bool, *, share: float = 1.0, more_px: float = 0.0, operator: str = "") -> None:
        icon_px = UNIT_PX * self._scale if icon else 0.0
        text_px = self._measure(text) + _SIDE_PX * self._scale if text else 0.0
        room_px = (icon_px + text_px) / share + (more_px if share == 1.0 else 0.0)
        wanted_px = (_WANTED_PX if text or not icon else UNIT_PX) * self._scale
        self.parts.append(Part(1.0, wanted_px, text, room_px, operator))
