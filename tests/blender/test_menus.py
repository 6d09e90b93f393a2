"""Every operator is in a menu, so that F3 finds it; keys that Blender has nothing on; the guide and the links; the tip of what is next."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not installed here")

from tests.blender.addon import REPOSITORY  # noqa: E402

IN_NO_MENU = {
    "dnerf.paint_label": "paints with the label of its button, of which a palette has one each",
    "dnerf.edit_label": "the same of an edit's palette",
    "dnerf.wait": "stands where a button has to wait for the job that runs",
    "dnerf.show_line": "shows the line that stands at a button in full",
    "dnerf.report_error": "brings an error into the Info editor",
    "dnerf.drop_photo": "is given the photo that is dropped; by menu it is Invert Photo",
}
"""Operators that no menu has, each with its reason."""


class Recorder:
    """A layout that notes which operators and menus are put into it."""

    def __init__(self, operators: list[str], menus: list[str]) -> None:
        self.__dict__ |= {"operators": operators, "menus": menus}

    def operator(self, name: str, **_: Any) -> SimpleNamespace:
        group, function = name.split(".")
        getattr(getattr(bpy.ops, group), function).get_rna_type()  # raises where there is none
        self.operators.append(name)
        return SimpleNamespace()

    def menu(self, name: str, **_: Any) -> None:
        self.menus.append(name)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self

    def __setattr__(self, name: str, value: Any) -> None:
        """Whether it is enabled, and the like."""


def drawn(menu: type, operators: list[str]) -> None:
    """Note all that a menu shows, and the menus in it."""
    menus: list[str] = []
    stub = SimpleNamespace(
        layout=Recorder(operators, menus), entries=getattr(menu, "entries", ()), group=getattr(menu, "group", "")
    )
    menu.draw(stub, bpy.context)
    for name in menus:
        drawn(getattr(bpy.types, name), operators)


def in_menus() -> set[str]:
    """The operators of the menus that the extension puts into Blender's own."""
    from blender_addon.guidance import menus
    from blender_addon.incoming.operators import draw_import
    from blender_addon.operators.pose import draw_add_person

    found: list[str] = []
    for blenders, draw in (
        (bpy.types.VIEW3D_MT_editor_menus, menus.draw_main),
        (bpy.types.IMAGE_MT_editor_menus, menus.draw_paint),
        (bpy.types.TOPBAR_MT_file_import, draw_import),
        (bpy.types.VIEW3D_MT_armature_add, draw_add_person),
    ):
        assert draw in blenders._dyn_ui_initialize(), "it is not in Blender's menu"
        below: list[str] = []
        draw(SimpleNamespace(layout=Recorder(found, below)), bpy.context)
        for name in below:
            drawn(getattr(bpy.types, name), found)
    return set(found)


def test_every_operator_is_in_a_menu(session: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.registration import CLASSES
    from blender_addon.scene.clouds import add_cloud
    from tests.blender.test_scene_clouds import ball

    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path="": str(tmp_path / path))
    bpy.ops.dnerf.save_preset(group="cameras", name="mine")  # one that can be removed
    bpy.context.view_layer.objects.active = add_cloud(bpy.context.scene, ball(20), "cloud", world_up="y")
    registered = {item.bl_idname for item in CLASSES if issubclass(item, bpy.types.Operator)}
    assert len(registered) > 40
    missing = registered - in_menus()
    assert missing == set(IN_NO_MENU), (
        f"put it into a menu of blender_addon/guidance/menus.py: {sorted(missing ^ set(IN_NO_MENU))}"
    )


def test_the_menus_are_taken_back(session: ModuleType) -> None:
    from blender_addon.guidance import menus
    from blender_addon.incoming import operators

    for part in (menus, operators):
        part.unregister()
    try:
        for blenders in (bpy.types.VIEW3D_MT_editor_menus, bpy.types.IMAGE_MT_editor_menus, bpy.types.TOPBAR_MT_file_import):
            assert not [draw for draw in blenders._dyn_ui_initialize() if draw.__module__.startswith("blender_addon")]
    finally:
        for part in (menus, operators):
            part.register()


def default_keys() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Keymap, operator and key of all that Blender's default keymap has, out of the file that makes it."""
    path = next(Path(folder) for folder in bpy.utils.script_paths()).joinpath(
        "presets", "keyconfig", "keymap_data", "blender_default.py"
    )
    spec = importlib.util.spec_from_file_location("dnerf_test_keymap", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    del sys.modules[spec.name]
    for keymap, _, content in module.generate_keymaps(module.Params()):
        for operator, key, _ in content["items"]:
            yield keymap, operator, key


def test_blender_has_nothing_on_the_keys_of_3d_views() -> None:
    from blender_addon.operators.keys import KEYS

    taken = [(keymap, operator, key) for keymap, operator, key in default_keys()]
    assert len(taken) > 1000
    for name, _, operator, key, held in KEYS:
        if name == "Window":
            continue
        same = [
            (keymap, theirs)
            for keymap, theirs, wanted in taken
            if wanted["type"] == key
            and (
                wanted.get("any")
                or all(bool(wanted.get(word)) == bool(held.get(word)) for word in ("ctrl", "alt", "shift", "oskey"))
            )
            and not keymap.startswith(("Text", "Console", "File Browser"))
            and "modal" not in keymap.lower()
        ]
        assert not same, f"{operator}: {same}"


class Keymaps:
    """An add-on's keys, as Blender with a window has them."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str, str, dict]] = []

    def new(self, name: str, space_type: str) -> Any:
        def add(operator: str, key: str, value: str, **held: bool) -> tuple:
            self.kept.append((name, operator, key, held))
            return self.kept[-1]

        return SimpleNamespace(name=name, keymap_items=SimpleNamespace(new=add, remove=self.kept.remove))


def test_keys_are_added_and_taken_back(session: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.operators import keys

    keymaps = Keymaps()
    manager = SimpleNamespace(keyconfigs=SimpleNamespace(addon=SimpleNamespace(keymaps=keymaps)))
    monkeypatch.setattr(keys, "bpy", SimpleNamespace(context=SimpleNamespace(window_manager=manager)))
    keys.register()
    assert {operator for _, operator, _, _ in keymaps.kept} == {
        "dnerf.cancel",
        "dnerf.cancel_environment",
        "dnerf.render_views",
        "dnerf.toggle_preview",
    }
    for _, operator, _, _ in keymaps.kept:
        getattr(bpy.ops.dnerf, operator.removeprefix("dnerf.")).get_rna_type()
    keys.unregister()
    assert keymaps.kept == [] and keys._added == []


def test_the_preview_is_switched_by_its_operator(session: ModuleType) -> None:
    settings = bpy.context.scene.dnerf
    bpy.ops.dnerf.toggle_preview()
    assert settings.live_preview
    bpy.ops.dnerf.toggle_preview()
    assert not settings.live_preview


def test_the_manifest_and_the_buttons_name_one_website() -> None:
    from blender_addon.version import WEBSITE

    manifest = tomllib.loads((REPOSITORY / "blender_manifest.toml").read_text())
    assert manifest["website"] == WEBSITE and WEBSITE.startswith("https://")


def test_the_guide_is_the_documentation(session: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    import html

    from blender_addon.guidance import guide

    text = (REPOSITORY / "docs" / "blender.md").read_text("utf-8")
    assert (REPOSITORY / "blender_addon" / "guide.md").read_text("utf-8") == text
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url, *_, **__: opened.append(url) or True)
    assert bpy.ops.dnerf.show_guide() == {"FINISHED"}
    (url,) = opened
    assert url == (Path(bpy.app.tempdir) / guide.PAGE_NAME).as_uri()
    assert html.escape(text) in (Path(bpy.app.tempdir) / guide.PAGE_NAME).read_text("utf-8")


def test_the_tip_leads_to_the_first_result_and_goes(session: ModuleType) -> None:
    from blender_addon.guidance import tips
    from blender_addon.scene.clouds import add_cloud
    from tests.blender.test_operators import finished
    from tests.blender.test_scene_clouds import ball

    scene = bpy.context.scene
    assert tips.next_step(scene, has_engine=False) == tips.SETUP
    assert tips.next_step(scene) == tips.LOAD
    finished(session, bpy.ops.dnerf.load_model())
    assert tips.next_step(scene) == tips.PLACE
    finished(session, bpy.ops.dnerf.place_cameras())
    assert tips.next_step(scene) == tips.MAKE
    item = add_cloud(scene, ball(20), "cloud", world_up="y")
    assert tips.next_step(scene) == ""
    bpy.data.objects.remove(item)
    assert tips.next_step(scene) == tips.MAKE
    scene.dnerf.shown_views = "{}"
    assert tips.next_step(scene) == ""
    other = bpy.data.scenes.new("other")
    assert tips.next_step(other) == tips.LOAD
    for tip in (tips.SETUP, tips.LOAD, tips.PLACE, tips.MAKE):
        assert tip.startswith("Next: ")
