"""What is seen of a job at the button that began it, in a place of constant height; and texts that fit the side panel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="bpy is not installed here")

from dnerf_core.labels import SHAPENET_CAR_LABELS  # noqa: E402
from tests.blender.addon import enabled_addon  # noqa: E402
from tests.blender.panel_layout import PanelLayout  # noqa: E402

WIDTH_PX = 280
"""Of the side panel as Blender opens it, at a UI scale of 1."""
LONG = (
    "Camera.001: expected a perspective camera, found an orthographic one, which the engine cannot see through; set its lens type to "
    "Perspective, and look at /home/somebody/some/rather/long/path/of/folders/that/goes/on/and/on/views"
)
JOB_BUTTONS = {
    "DNERF_PT_model": ["load_model"],
    "DNERF_PT_subject": ["invert_photo"],
    "DNERF_PT_cameras": ["place_cameras", "animate_camera"],
    "DNERF_PT_views": ["render_views"],
    "DNERF_PT_video": ["render_video"],
    "DNERF_PT_cloud": ["fuse_cloud"],
    "DNERF_PT_mesh": ["import_mesh"],
    "DNERF_PT_segment": ["segment_selected"],
    "DNERF_PT_data_set": ["render_data_set"],
    "DNERF_PT_data_set_cameras_only": ["write_cameras"],
    "DNERF_PT_composite": ["composite"],
    "DNERF_PT_edit": ["edit_mask", "apply_edit", "step_edit"],
    "DNERF_PT_paint_edit": ["apply_edit", "step_edit"],
    "DNERF_PT_annotate": ["sample_views", "open_annotations", "prefill", "train"],
    "DNERF_PT_paint": ["prefill"],
}


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Any]:
    """The session of the add-on, whose engine is not there."""
    with enabled_addon(tmp_path / "no-python") as session:
        yield session.current()
        session.current().job = None
        session.current().outcomes.forget()
        session.current().status, session.current().level = "", "INFO"


def context_of(scale: float = 1.0) -> Any:
    """What a panel in a side panel of the default width is drawn with."""
    styles = bpy.context.preferences.ui_styles
    return SimpleNamespace(
        region=SimpleNamespace(width=round(WIDTH_PX * scale)),
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=scale), ui_styles=styles),
        scene=bpy.context.scene,
        active_object=bpy.context.active_object,
        space_data=SimpleNamespace(image=None),
    )


def drawn(name: str, scale: float = 1.0) -> PanelLayout:
    """What a panel draws."""
    from blender_addon.panels.fitting import text_measure

    context = context_of(scale)
    layout = PanelLayout(text_measure(context), scale)
    getattr(bpy.types, name).draw(SimpleNamespace(layout=layout), context)
    return layout


def fill_panels() -> None:
    """A known model whose subjects move, with labels; views that are listed, here and in the annotated folder."""
    from blender_addon.annotation_list import list_views
    from blender_addon.view_list.items import add_kept_item

    scene = bpy.context.scene
    labels = SHAPENET_CAR_LABELS.to_json()
    scene.dnerf.model_facts = json.dumps(
        {
            "name": "demo-people",
            "image_size": 256,
            "box_warp": 1.0,
            "cameras": {"radius": 1.3, "pivot": [0, 0, 0], "focal": 2.0, "world_up": "y", "pitch_deg": 0.0},
            "labels": labels,
            "licence": "Apache-2.0",
            "source": "",
            "sha256": "0" * 64,
            "skeleton": {"names": ["hips"], "parents": [-1], "joints": [[0, 0, 0]], "scale": 1.0},
        }
    )
    list_views(
        scene, {"views": [{"name": "s0000_v00", "painted": True}, {"name": "s0000_v01", "painted": False}], "labels": labels}
    )
    add_kept_item(scene, "s0003_v00")


def test_the_line_stands_at_the_button_that_was_pressed(holder: Any) -> None:
    with pytest.raises(RuntimeError):
        bpy.ops.dnerf.show_view()
    with pytest.raises(RuntimeError, match="no-python"):
        bpy.ops.dnerf.load_model()
    model, views = holder.outcomes.latest(["dnerf.load_model"]), holder.outcomes.latest(["dnerf.render_views", "dnerf.show_view"])
    assert model.level == "ERROR" and "no-python" in model.line
    assert views.line.startswith("views: expected one that is chosen in the list")
    assert "pytest-of" in "".join(drawn("DNERF_PT_model").texts())
    assert "pytest-of" not in "".join(drawn("DNERF_PT_subject").texts())
    with holder.outcomes.pressed("dnerf.load_model"):
        holder.say("demo-cars: 256 px")
    assert "demo-cars: 256 px" in drawn("DNERF_PT_model").texts()
    bpy.ops.wm.read_homefile()
    assert holder.outcomes.latest(["dnerf.load_model"]) is None, "of another file"


@pytest.mark.parametrize("panel", JOB_BUTTONS)
def test_nothing_moves_before_while_and_after_a_job(holder: Any, panel: str) -> None:
    from blender_addon.lasting.job import Job

    fill_panels()
    before = drawn(panel)
    for name in JOB_BUTTONS[panel]:
        operator = f"dnerf.{name}"
        assert operator in before.operators()
        heights = {before.height}
        others = {other for other in before.operators() if other not in ("dnerf.show_line", operator)}
        for job in (
            Job("Rendering views", button=operator),
            Job("Rendering views", done=3, total=7, text="views", button=operator, keeps_best=True),
            Job("Rendering views", done=3, total=7, text=LONG, button=operator, cancelled=True),
        ):
            holder.job = job
            layout = drawn(panel)
            heights.add(layout.height)
            assert operator not in layout.operators() and "dnerf.cancel" in layout.operators()
            assert "Rendering views" in layout.texts()
            assert "dnerf.restart_worker" in layout.operators() or not job.cancelled
        holder.job = Job("Something else", button="dnerf.of_another_panel")
        layout = drawn(panel)
        heights.add(layout.height)
        assert operator not in layout.operators() and "dnerf.wait" in layout.operators()
        holder.job = None
        for line, level in (("all went well", "INFO"), (LONG, "ERROR"), ("Rendering views: cancelled", "CANCELLED")):
            with holder.outcomes.pressed(operator):
                holder.say(line, level)
            layout = drawn(panel)
            heights.add(layout.height)
            assert {*others, operator} <= set(layout.operators())
            assert ("dnerf.show_line" in layout.operators()) == (line == LONG)
            assert layout.cut_texts(WIDTH_PX) == []
        assert len(heights) == 1, f"{operator}: {heights}"


def test_the_status_line_has_one_height(holder: Any) -> None:
    from blender_addon.lasting.job import Job

    heights = {drawn("DNERF_PT_main").height}
    for line, level in (("done", "INFO"), (LONG, "ERROR")):
        holder.say(line, level)
        heights.add(drawn("DNERF_PT_main").height)
    holder.client = SimpleNamespace(state="lost")
    heights.add(drawn("DNERF_PT_main").height)
    assert "dnerf.restart_worker" in drawn("DNERF_PT_main").operators()
    for job in (Job("Training"), Job("Training", cancelled=True), Job("Finding the subject", keeps_best=True)):
        holder.job = job
        heights.add(drawn("DNERF_PT_main").height)
    holder.client = None
    assert len(heights) == 1


def test_the_picture_of_a_search_takes_no_more_room(holder: Any) -> None:
    import numpy as np

    from blender_addon import icons
    from blender_addon.lasting.job import Job

    before = drawn("DNERF_PT_subject").height
    holder.job = Job("Finding the subject", button="dnerf.invert_photo", keeps_best=True)
    icons.keep_picture(np.zeros((8, 8, 3), np.uint8))
    layout = drawn("DNERF_PT_subject")
    assert layout.height == before and layout.cut_texts(WIDTH_PX) == []
    icons.drop_picture()


@pytest.mark.parametrize("scale", [1.0, 1.5])
@pytest.mark.parametrize("panel", JOB_BUTTONS)
def test_texts_fit_the_default_width(holder: Any, panel: str, scale: float) -> None:
    fill_panels()
    settings = bpy.context.scene.dnerf
    settings.own_yaw = settings.own_pitch = False
    bpy.context.scene.camera.name = "Camera of the second shot, from the left and above"
    settings.live_preview, settings.edit_perceptual_weight = False, 1.0
    names = ("edited_taken", "agreement_inside", "agreement_outside", "psnr_outside_db", "psnr_kept_db")
    views = [{"yaw_deg": 45.0, "labels_changed": 0.123, "color_change": 12.3}]
    settings.edit_scores = json.dumps({"scores": dict.fromkeys(names, 0.987), "other_views": views, "warnings": [LONG]})
    with holder.outcomes.pressed(f"dnerf.{JOB_BUTTONS[panel][0]}"):
        holder.say(LONG, "ERROR")
    assert drawn(panel, scale).cut_texts(WIDTH_PX * scale - 44 * scale) == []


def test_lines_are_broken_between_words_and_cut_at_last(holder: Any) -> None:
    from blender_addon.panels.fitting import fit_lines, wrap_text

    def measure(text: str) -> float:
        return 10.0 * len(text)

    assert wrap_text("one two three", 70, measure) == ["one two", "three"]
    assert wrap_text("", 70, measure) == []
    assert wrap_text("abcdefghij", 40, measure) == ["abcd", "efgh", "ij"]
    assert wrap_text("/home/me/views x", 100, measure) == ["/home/me/", "views x"]
    assert wrap_text("ab", 1, measure) == ["a", "b"], "a character at least"
    assert fit_lines("one two three", 70, measure, 2) == (["one two", "three"], True)
    assert fit_lines("one two three four five", 70, measure, 2) == (["one two", "three…"], False)
    assert fit_lines("one two three four", 70, measure, 1) == (["one tw…"], False)


def test_no_alert_without_a_window(holder: Any) -> None:
    from blender_addon.feedback import alerts

    holder.say("went wrong", "ERROR")
    assert alerts._waiting == []


def test_a_waiting_button_is_another_one(holder: Any) -> None:
    """Blender keeps the state of the button under the mouse, gray too, while the mouse rests."""
    assert not bpy.ops.dnerf.wait.poll()
    with pytest.raises(RuntimeError):
        bpy.ops.dnerf.wait()


def test_what_is_said_of_a_job_is_said_of_its_button(holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.lasting.job import Job

    holder.job = Job("Rendering views", button="dnerf.render_views")
    holder.fail("no camera")
    assert holder.outcomes.latest(["dnerf.render_views"]).line == "no camera" and holder.status == "no camera"
    holder.job = Job("Rendering views and cloud anew")
    holder.finish("shown again")
    assert holder.outcomes.latest(["dnerf.render_views"]).line == "no camera", "that was nobody's button"
    with holder.outcomes.pressed("dnerf.show_view"):
        holder.outcomes.note("", "INFO")
    assert holder.outcomes.latest(["dnerf.render_views", "dnerf.show_view"]) is None, "the last one pressed has nothing to say"
    assert holder.outcomes.latest(["dnerf.render_views"]).line == "no camera"


def test_the_waiting_alert_comes_once_and_not_in_a_stroke(holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.feedback import alerts

    said: list[str] = []
    strokes = [SimpleNamespace(modal_operators=["PAINT_OT_image_paint"]), SimpleNamespace(modal_operators=[])]
    override = bpy.context.temp_override()

    def stand_in(windows: list[Any]) -> Any:
        report = SimpleNamespace(report_error=lambda how, line: said.append(line))
        context = SimpleNamespace(window_manager=SimpleNamespace(windows=windows), temp_override=lambda window: override)
        return SimpleNamespace(context=context, ops=SimpleNamespace(dnerf=report), app=SimpleNamespace(background=False))

    monkeypatch.setattr(alerts, "_timer", SimpleNamespace(start=lambda: None))
    monkeypatch.setattr(alerts, "bpy", stand_in(strokes))
    alerts.alert("went wrong")
    alerts.alert("went wrong")
    assert alerts._look() is not None and said == []
    monkeypatch.setattr(alerts, "bpy", stand_in(strokes[1:]))
    assert alerts._look() is None and said == ["went wrong"]


def test_the_preferences_keep_their_height(holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon import preferences
    from blender_addon.environments import making as environment_making
    from blender_addon.environments.making import Progress
    from blender_addon.panels.fitting import text_measure

    settings, context = bpy.context.preferences.addons["blender_addon"].preferences, context_of()
    context.region.width = 700
    monkeypatch.setattr(preferences, "draw_keys", lambda layout, context: None)  # Blender's own rows
    heights = set()

    def draw() -> PanelLayout:
        layout = PanelLayout(text_measure(context), 1.0)
        values = {name: getattr(settings, name) for name in ("interpreter", "environment_folder", "wheel_source")}
        preferences.DNERF_Preferences.draw(SimpleNamespace(layout=layout, bl_rna=settings.bl_rna, **values), context)
        heights.add(layout.height)
        return layout

    draw()
    preferences.show_check(LONG, False)
    draw()
    for source in ("MIRROR", "FOLDER", "INDEX"):
        settings.wheel_source = source
        draw()
    settings.interpreter, before = "", settings.interpreter
    draw()
    settings.interpreter = before
    for running, cancelled, line in (
        (True, False, "installing"),
        (True, True, LONG),
        (False, True, "cancelled"),
        (False, False, LONG),
    ):
        making = SimpleNamespace(running=running, cancelled=cancelled, succeeded=False, line=line, progress=Progress(line, 0.5))
        monkeypatch.setattr(environment_making, "current", lambda making=making: making)
        button = "dnerf.cancel_environment" if running else "dnerf.create_environment"
        layout = draw()
        assert button in layout.operators() and layout.cut_texts(600) == []
        assert not running or ("cancelling: what has been made is being removed" if cancelled else "installing") in layout.texts()
    with pytest.raises(RuntimeError, match="expected a folder, found none named"):
        bpy.ops.dnerf.create_environment()
    assert any("expected a folder, found none named" in text for text in draw().texts()), "a refusal stands at the button"
    preferences.show_check("", False)
    assert len(heights) == 1
