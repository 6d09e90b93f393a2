"""What operators share: one line for every failure, a button that is gray while a job runs, and a way for scripts to wait for it."""

import time
from collections.abc import Callable

import bpy

from .. import session
from ..lasting.showing import script_waits
from ..scripting.options import Limited, check_numbers

_LOOK_S = 0.005


class LineOperator:
    """An operator whose `act` raises one of `session.EXPECTED`: the line is reported and stands at the button; it is cancelled."""

    bl_idname: str
    act: Callable[[bpy.types.Context], None]
    report: Callable[[set[str], str], None]
    poll_message_set: Callable[[str], None]

    def execute(self, context: bpy.types.Context) -> set[str]:
        outcomes = session.current().outcomes
        with outcomes.pressed(type(self).bl_idname):
            outcomes.note("", "INFO")
            try:
                self.check_options()
                self.act(context)
            except session.EXPECTED as error:
                outcomes.note(str(error), "ERROR")
                self.report({"ERROR"}, str(error))
                return {"CANCELLED"}
        return {"FINISHED"}

    def check_options(self) -> None:
        """Refuse what `act` would not understand.

        Raises:
            UsageError: there is such.
        """


class JobOperator(LineOperator):
    """A `LineOperator` that needs the worker for itself."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session.busy():
            cls.poll_message_set("Something else is being done: wait, or press ESC")
            return False
        return True


class WaitingOperator(Limited, JobOperator):
    """A `JobOperator` that returns when its job has ended: with `wait`, and in Blender without a window unless that is False.

    The outcome is the job's: FINISHED with its line as information; CANCELLED with its line as an error, or as a warning where the job
    was cancelled. For a script Blender makes an error a RuntimeError with that line. Blender stands still meanwhile, and the results are
    no step of undo: that is the script's to make, as with Blender's own operators.
    """

    wait: bpy.props.BoolProperty(
        name="Wait",
        description="Return when all is done, with the outcome; without a window that is so unless this is False",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    properties: bpy.types.OperatorProperties

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self._waits():
            return super().execute(context)
        session.current().say("")  # or where nothing is said, what was said of another
        with script_waits():
            outcome = super().execute(context)
            return self._outcome() if outcome == {"FINISHED"} else outcome

    def check_options(self) -> None:
        check_numbers(self)

    def _waits(self) -> bool:
        return self.wait if self.properties.is_property_set("wait") else without_window()

    def _outcome(self) -> set[str]:
        """Hear the worker until the job that has just begun has ended."""
        holder = session.current()
        job = holder.job
        try:
            while job is not None and holder.job is job:
                if not holder.poll():
                    time.sleep(_LOOK_S)
        finally:
            if job is not None and holder.job is job:  # interrupted from the keyboard
                holder.cancel()
        if holder.level == "INFO":
            if holder.status:
                self.report({"INFO"}, holder.status)
            return {"FINISHED"}
        self.report({"ERROR"} if holder.level == "ERROR" else {"WARNING"}, holder.status)
        return {"CANCELLED"}


def without_window() -> bool:
    """Whether Blender has none, so that no timer runs and nobody sees a job go on."""
    return bool(bpy.app.background)


def results_arrived(what: str) -> None:
    """One step of undo for results that came in after the click, and fresh drawings."""
    session.undo_step(what)
    session.redraw()
