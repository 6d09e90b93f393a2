"""The preferences' buttons: check an interpreter, create an environment."""

import threading
from pathlib import Path

import bpy

from .. import session
from ..bridge.check import Check, check_interpreter
from ..bridge.errors import WorkerError
from ..bridge.interpreter import interpreter_at, pointed_to
from ..environments import making as environment_making
from ..environments.making import EnvironmentMaking
from ..environments.source import ENGINE, package_of
from ..lasting.showing import redraw_panels
from ..lasting.timers import Timer
from ..preferences import DNERF_Preferences, chosen_interpreter, chosen_source, preferences, show_check
from .base import LineOperator

_LOOK_INTERVAL_S = 0.2
_checking: threading.Thread | None = None
_checks: list[Check] = []


class DNERF_OT_check_interpreter(LineOperator, bpy.types.Operator):
    """Start the engine once, and show its version, device and memory"""

    bl_idname = "dnerf.check_interpreter"
    bl_label = "Check"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _checking is None

    def act(self, context: bpy.types.Context) -> None:
        settings = preferences()
        python, device = chosen_interpreter(settings), settings.device
        checks: list[Check] = []
        start_check(threading.Thread(target=lambda: checks.append(check_interpreter(python, device)), daemon=True), checks)


def start_check(thread: threading.Thread, checks: list[Check]) -> None:
    """Let the thread find out, and show it when it has."""
    global _checking, _checks  # one at a time
    _checking, _checks = thread, checks
    show_check("checking: the engine is being started", True)
    thread.start()
    _look_timer.start()


def check_thread() -> threading.Thread | None:
    """The check that is going on."""
    return _checking


def look() -> float | None:
    """Show what the check found, when it has; called by a timer."""
    global _checking  # noqa: PLW0603
    if _checking is not None and _checking.is_alive():
        return _LOOK_INTERVAL_S
    _checking = None
    if _checks:
        show_check(_checks[0].message, _checks[0].ok)
    else:  # its thread has met an error, which the console has
        show_check(
            "check: expected what the engine says of itself, found a fault of the extension; report it with the console", False
        )
    session.redraw()
    return None


_look_timer = Timer(look, _LOOK_INTERVAL_S)


class DNERF_OT_create_environment(LineOperator, bpy.types.Operator):
    """Make a Python environment with datasetnerf and torch in the folder named above"""

    bl_idname = "dnerf.create_environment"
    bl_label = "Create Environment"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        making = environment_making.current()
        return making is None or not making.running

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=500)

    def draw(self, context: bpy.types.Context) -> None:
        settings = preferences()
        source = chosen_source(settings)
        column = self.layout.column()
        column.label(text=f"Make a Python environment in {settings.environment_folder or '(no folder named)'}", translate=False)
        column.label(
            text=f"and install {settings.package.strip() or ENGINE} there, with torch and what they need,", translate=False
        )
        column.label(text=f"from {source.name}{': large downloads by pip.' if source.is_online else '.'}", translate=False)
        column.label(text="Blender's own files are not touched. It runs in the background and can be cancelled.")

    def act(self, context: bpy.types.Context) -> None:
        environment_making.refuse("")
        try:
            self._begin()
        except session.EXPECTED as error:
            environment_making.refuse(str(error))
            raise

    def _begin(self) -> None:
        settings = preferences()
        if not settings.environment_folder:
            raise WorkerError("new environment: expected a folder, found none named; name one outside of Blender's own folders")
        source = chosen_source(settings)
        if source.is_online and not bpy.app.online_access:
            raise WorkerError(
                "new environment: expected permission to go online, found Blender offline; allow online access in Preferences, "
                "System, Network, or choose a folder of wheels"
            )
        making = EnvironmentMaking(
            Path(bpy.path.abspath(pointed_to(settings.environment_folder))),
            package_of(settings.package),
            source=source,
            base_python=_python_at(settings.base_python),
            used_python=_python_at(settings.interpreter),
        )
        environment_making.begin(making)
        _making_timer.start()


def _python_at(text: str) -> str:
    """The interpreter that a property points to; "": it points to none."""
    named = pointed_to(text)
    return str(interpreter_at(Path(bpy.path.abspath(named)))) if named else ""


def look_at_making() -> float | None:
    """Show how far it is; at its good end the new interpreter is the chosen one."""
    redraw_panels()
    making = environment_making.current()
    if making is not None and making.running:
        return _LOOK_INTERVAL_S
    if making is not None and making.succeeded:
        preferences().interpreter = str(making.python)
        if not session.busy():  # the next click starts the engine that is there now
            session.current().end_worker()
    return None


_making_timer = Timer(look_at_making, _LOOK_INTERVAL_S)


class DNERF_OT_cancel_environment(bpy.types.Operator):
    """Stop making the environment, and remove what has been made (ESC with the mouse over the preferences)"""

    bl_idname = "dnerf.cancel_environment"
    bl_label = "Cancel Environment"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        making = environment_making.current()
        return making is not None and making.running and not making.cancelled

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and (context.area is None or context.area.type != "PREFERENCES"):
            return {"PASS_THROUGH"}  # elsewhere it means other things, and an environment takes long
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        making = environment_making.current()
        if making is not None:
            making.cancel()
        session.redraw()
        return {"FINISHED"}


class DNERF_OT_open_preferences(bpy.types.Operator):
    """Open the preferences of DatasetNeRF, where the engine's Python is named or created"""

    bl_idname = "dnerf.open_preferences"
    bl_label = "Open Preferences"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return set(bpy.ops.preferences.addon_show(module=DNERF_Preferences.bl_idname))


CLASSES = (DNERF_OT_check_interpreter, DNERF_OT_create_environment, DNERF_OT_cancel_environment, DNERF_OT_open_preferences)
