"""Cancel, and a new worker; and what is said of a job: its error, its whole line, that another one runs."""

import textwrap

import bpy

from .. import session
from .base import WaitingOperator

_POPUP_CHARACTERS = 80
"""Of a line in a popup, which is as wide as its longest."""
_POPUP_UNITS = 26
"""The width of a popup of such lines, in Blender's units of 20 pixels at a UI scale of 1."""
_REPORT_AFTER_S = 0.01


class DNERF_OT_cancel(bpy.types.Operator):
    """Stop what is being done, and drop it (ESC)"""

    bl_idname = "dnerf.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.current().cancel()
        return {"FINISHED"}


class DNERF_OT_stop_early(bpy.types.Operator):
    """End the search now, and keep the best so far"""

    bl_idname = "dnerf.stop_early"
    bl_label = "Stop, Keep the Best"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        job = session.current().job
        return job is not None and job.keeps_best and not job.stopping

    def execute(self, context: bpy.types.Context) -> set[str]:
        session.current().stop_early()
        return {"FINISHED"}


class DNERF_OT_restart_worker(WaitingOperator, bpy.types.Operator):
    """End the engine's process, and start a new one"""

    bl_idname = "dnerf.restart_worker"
    bl_label = "Restart Worker"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return True  # above all while a job runs

    def act(self, context: bpy.types.Context) -> None:
        holder = session.current()
        holder.end_worker()
        holder.start_job("Starting the worker", "status", {}, _started)


def _started(result: dict) -> None:
    session.current().finish(f"worker ready: datasetnerf {result['version']} on {result['device_name']}")


class DNERF_OT_wait(bpy.types.Operator):
    """Stands for a button whose work has to wait. Blender leaves a gray button gray under a mouse that rests; another one is new"""

    bl_idname = "dnerf.wait"
    bl_label = "Wait"
    bl_options = {"INTERNAL"}

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return "This can be pressed when what runs has ended"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        cls.poll_message_set("Something else is being done: wait, or press ESC")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        return {"CANCELLED"}


class DNERF_OT_show_line(bpy.types.Operator):
    """Show all of a line that is too long for its place"""

    bl_idname = "dnerf.show_line"
    bl_label = "The Whole Line"
    bl_options = {"INTERNAL"}

    line: bpy.props.StringProperty(options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return str(properties.line)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        lines = textwrap.wrap(self.line, _POPUP_CHARACTERS)

        def draw(popover: bpy.types.UIPopover, _: bpy.types.Context) -> None:
            column = popover.layout.column(align=True)
            for line in lines:
                column.label(text=line, translate=False)

        context.window_manager.popover(draw, ui_units_x=_POPUP_UNITS)
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.report({"INFO"}, self.line)
        return {"FINISHED"}


class DNERF_OT_report_error(bpy.types.Operator):
    """Report an error that came without a click; see `feedback.alerts`"""

    bl_idname = "dnerf.report_error"
    bl_label = "DatasetNeRF"
    bl_options = {"INTERNAL"}

    line: bpy.props.StringProperty(options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._timer = context.window_manager.event_timer_add(_REPORT_AFTER_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        self.report({"ERROR"}, " \n".join(textwrap.wrap(self.line, _POPUP_CHARACTERS)))  # in the status bar it is one line
        return {"FINISHED", "PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)


CLASSES = (
    DNERF_OT_cancel,
    DNERF_OT_stop_early,
    DNERF_OT_restart_worker,
    DNERF_OT_wait,
    DNERF_OT_show_line,
    DNERF_OT_report_error,
)
