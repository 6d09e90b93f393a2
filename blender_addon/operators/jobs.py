"""Cancel, and a new worker."""

import bpy

from .. import session
from .base import LineOperator


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


class DNERF_OT_restart_worker(LineOperator, bpy.types.Operator):
    """End the engine's process, and start a new one"""

    bl_idname = "dnerf.restart_worker"
    bl_label = "Restart Worker"

    def act(self, context: bpy.types.Context) -> None:
        holder = session.current()
        holder.end_worker()
        holder.start_job("Starting the worker", "status", {}, _started)


def _started(result: dict) -> None:
    session.current().finish(f"worker ready: datasetnerf {result['version']} on {result['device_name']}")


CLASSES = (DNERF_OT_cancel, DNERF_OT_stop_early, DNERF_OT_restart_worker)
