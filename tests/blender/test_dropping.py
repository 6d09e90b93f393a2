"""Files dropped onto Blender: each ending has a handler whose operator takes what Blender fills in; the header says what a file is."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

bpy: Any = pytest.importorskip("bpy", reason="bpy is not installed here")

KINDS = {
    "model": "datasetnerf",
    "subject": "datasetnerf_subject",
    "network": "datasetnerf_network",
    "template": "datasetnerf_template",
    "others": "format",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A file of each kind: a header alone, which is what tells."""
    found = {}
    for name, key in KINDS.items():
        header = json.dumps({"__metadata__": {key: "{}"}}).encode()
        found[name] = tmp_path / f"{name}.safetensors"
        found[name].write_bytes(len(header).to_bytes(8, "little") + header)
    return found


def drop(operator: Any, paths: list[Path]) -> set[str]:
    """Call a handler's operator as Blender does."""
    files = [{"name": path.name} for path in paths]
    return operator("INVOKE_DEFAULT", filepath=str(paths[0]), directory=str(paths[0].parent), files=files)


def state() -> tuple[str, ...]:
    settings = bpy.context.scene.dnerf
    return settings.model_kind, settings.model_path, settings.subject_file, settings.network_file


def test_every_handlers_operator_takes_what_blender_fills_in(session: ModuleType) -> None:
    from blender_addon.incoming.handlers import CLASSES

    endings = []
    for handler in CLASSES:
        assert getattr(bpy.types, handler.bl_idname).is_registered
        group, name = handler.bl_import_operator.split(".")
        properties = getattr(getattr(bpy.ops, group), name).get_rna_type().properties
        assert {"filepath", "directory", "files"} <= set(properties.keys())
        assert all(properties[prop].is_skip_save for prop in ("filepath", "directory", "files")), "or the last drop's come again"
        endings += handler.bl_file_extensions.split(";")
        for area, expected in (("VIEW_3D", True), ("IMAGE_EDITOR", False)):
            assert handler.poll_drop(SimpleNamespace(area=SimpleNamespace(type=area))) is expected
        assert not handler.poll_drop(SimpleNamespace(area=None))
    assert {".safetensors", ".png", ".jpg", ".jpeg", ".ply", ".npz", ".glb"} <= set(endings)
    assert len(set(endings)) == len(endings)


def test_a_subject_and_a_network_are_told_apart_and_chosen(session: ModuleType, files: dict[str, Path]) -> None:
    assert drop(bpy.ops.dnerf.open_files, [files["subject"]]) == {"FINISHED"}
    assert state() == ("EMBEDDED", "", str(files["subject"]), "")
    assert session.current().status == "subject.safetensors: the scene's subject now"
    assert drop(bpy.ops.dnerf.open_files, [files["network"]]) == {"FINISHED"}
    assert state() == ("EMBEDDED", "", str(files["subject"]), str(files["network"]))
    assert session.current().job is None


def test_what_cannot_be_meant_is_refused_and_nothing_is_changed(
    session: ModuleType, files: dict[str, Path], tmp_path: Path
) -> None:
    before = state()
    other = tmp_path / "other.safetensors"
    other.write_bytes(files["model"].read_bytes())
    pickled = tmp_path / "pickle.safetensors"
    pickled.write_bytes(b"\x80\x04]\x94.")
    for paths, words in (
        ([files["template"]], "template.safetensors: expected a model, subject or network file, found a template file"),
        ([files["others"]], "others.safetensors: expected a model, subject or network file, found none of them"),
        ([pickled], "found none of them; convert a checkpoint"),
        ([files["subject"], files["template"]], "found a template file"),
        ([files["model"], other], "other.safetensors: expected a model file alone, found model.safetensors, too"),
    ):
        with pytest.raises(RuntimeError, match=words):
            drop(bpy.ops.dnerf.open_files, paths)
        assert state() == before


def test_a_model_is_chosen_and_loaded_with_its_subject(session: ModuleType, small_model: Path) -> None:
    from tests.blender.test_operators import finished

    subject = small_model.with_name("three.safetensors")
    status = finished(session, drop(bpy.ops.dnerf.open_files, [subject, small_model]))
    assert status.endswith("2 labels")
    assert state() == ("FILE", str(small_model), str(subject), "")


def test_one_photo_at_a_time(session: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.jpg"]
    for path in paths:
        path.write_bytes(b"picture")
    with pytest.raises(RuntimeError, match="photo: expected one, found 2; drop one at a time"):
        drop(bpy.ops.dnerf.drop_photo, paths)


def test_a_photo_opens_invert_photo_with_its_path(session: ModuleType, tmp_path: Path) -> None:
    """Its `invoke` asks for the options where it has a path, and for a file where it has none."""
    from blender_addon.operators.invert import DNERF_OT_invert_photo

    asked = []
    manager = SimpleNamespace(
        invoke_props_dialog=lambda operator, width: asked.append("options") or {"RUNNING_MODAL"},
        fileselect_add=lambda operator: asked.append("file"),
    )
    context = SimpleNamespace(window_manager=manager)
    for path in (str(tmp_path / "a.png"), ""):
        DNERF_OT_invert_photo.invoke(SimpleNamespace(filepath=path), context, None)
    assert asked == ["options", "file"]
