"""Segment Selected: the selected meshes and clouds get labels by a network file, one after the other."""

from pathlib import Path
from typing import Any

import bpy

from dnerf_core.errors import UsageError, counted
from dnerf_core.labels import LabelSet

from .. import session
from ..lasting.identity import Held, hold
from ..places import absolute_path
from ..scene.errors import SceneError
from ..scene.segments import check_labelled, label_object, shape_of
from ..scripting.given import Given
from ..scripting.options import scripted
from ..scripting.shape_options import SegmentOptions
from .base import WaitingOperator, results_arrived
from .cloud import show_colors

TITLE = "Segmenting"


class DNERF_OT_segment_selected(scripted(SegmentOptions), WaitingOperator, bpy.types.Operator):
    """Label the selected meshes and clouds by a network that train-pointnet wrote: their label attribute, and a material a part"""

    bl_idname = "dnerf.segment_selected"
    bl_label = "Segment Selected"

    def act(self, context: bpy.types.Context) -> None:
        given = Given(self, context.scene.dnerf, network="network_file")
        network = absolute_path(given["network"], "segment: network file")
        if not network.is_file():
            raise UsageError(f"segment: network file: expected a file, found none at {network}; choose one of train-pointnet")
        named = given.named(context.scene, "object", "MESH")
        chosen = context.selected_objects if named is None else [named.needed()]
        by_mesh = {item.data: item for item in chosen if item.type == "MESH"}  # what shares a mesh is labelled once
        if not by_mesh:
            raise SceneError("segment: expected selected meshes or clouds, found none; select some in the 3D view")
        for item in by_mesh.values():
            check_labelled(item)
        segment_objects([hold(item) for item in by_mesh.values()], network, {"up": "z", **given.alone("up", "headings")})


def segment_objects(items: list[Held], network: Path, more: dict[str, Any]) -> None:
    """The job: ask for the labels of each object, and give them to it.

    Args:
        more: how the network sees them.

    Raises:
        UsageError: an object has been deleted.
        WorkerError: another job runs, or no worker can be had.
    """
    holder = session.current()
    unsure: list[str] = []
    materials = []

    def ask(index: int) -> None:
        item = items[index].needed("select what is there")
        places, triangles = shape_of(item)
        client = holder.ready_client()
        params: dict[str, Any] = {"network": str(network), "points": client.put_array(places), **more}
        if triangles is not None:
            params["faces"] = client.put_array(triangles)
        materials.append("VERTEX" if triangles is None else "MATERIAL")

        def done(result: dict[str, Any]) -> None:
            labels, confidence = holder.array(result["labels"]), holder.array(result["confidence"])
            found = items[index].needed("select what is there")
            label_object(found, labels, confidence, LabelSet.from_json(result["label_set"], "the network's labels"))
            if result["unsure"]:
                unsure.append(found.name)
            if index + 1 < len(items):
                ask(index + 1)
                return
            show_colors("VERTEX" if "VERTEX" in materials else "MATERIAL")
            results_arrived("Segment Selected")
            doubt = (
                f"; the network is unsure of {', '.join(unsure[:3])}, which it has probably not learned from the like"
                if unsure
                else ""
            )
            holder.finish(f"{counted(len(items), 'object')} labelled, mean confidence {result['mean_confidence']:.2f}{doubt}")

        title = f"{TITLE} {item.name}"
        if index == 0:
            holder.start_job(title, "segment", params, done)
        else:
            holder.continue_job("segment", params, done, title=title)

    ask(0)


CLASSES = (DNERF_OT_segment_selected,)
