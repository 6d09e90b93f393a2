"""What operators share: one line for every failure, and a button that is gray while a job runs."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from .. import session


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
                self.act(context)
            except session.EXPECTED as error:
                outcomes.note(str(error), "ERROR")
                self.report({"ERROR"}, str(error))
                return {"CANCELLED"}
        return {"FINISHED"}


class JobOperator(LineOperator):
    """A `LineOperator` that needs the worker for itself."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session.busy():
            cls.poll_message_set("Something else is being done: wait, or press ESC")
            return False
        return True


def results_arrived(what: str) -> None:
    """One step of undo for results that came in after the click, and fresh drawings."""
    session.undo_step(what)
    session.redraw()
