"""Which views are to be shown: what the panel Views says, or what a script gives `dnerf.render_views`, by the names of data sets."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from dnerf_core import job_ranges
from dnerf_core.errors import UsageError

from ..lasting.identity import Held
from ..model_facts import ModelFacts
from ..ranged import whole_property
from ..scene.cameras import ScenePose
from ..scripting.given import Given
from ..scripting.options import flags_option
from ..scripting.subject_options import SubjectsOptions
from ..scripting.which import ChosenSubject, chosen_subjects
from ..viewpoints import chosen_poses, named_poses, selected_cameras
from .cameras import chosen_cameras
from .chosen import Chosen, chosen
from .options import RULES, CameraOptions

VIEW_CHANNELS = ("rgb", "mask", "depth", "uncertainty")
"""In the order in which records have them."""


class ViewOptions(SubjectsOptions, CameraOptions):
    """What a script may give; what it leaves out is the panel's."""

    center_object: bpy.props.StringProperty(name="Centre object", description="The name of what the cameras stand about")
    camera: bpy.props.StringProperty(name="Camera", description="The name of the one camera, or the animated one")
    resolution: whole_property(
        job_ranges.RESOLUTION, "Size", description="Side of a rule's pictures, pixels", left_open="the panel's"
    )
    channels: flags_option(
        "Channels",
        VIEW_CHANNELS,
        "What is written of each view, rgb among it; left out: what the model has, and the panel's depth",
    )
    output: bpy.props.StringProperty(name="Save to", description="Folder of the views; empty: the panel's", subtype="DIR_PATH")


@dataclass(frozen=True)
class WantedViews:
    """Views that are asked for.

    Attributes:
        subjects: which.
        source: of the panel's cameras, where a script gives none.
        selected: the cameras that were selected.
        choice: the cameras that a script gives; None: the panel's count.
        channels: that a script gives; None: the panel's count.
    """

    subjects: tuple[ChosenSubject, ...]
    source: str
    selected: Sequence[Held]
    choice: Chosen | None
    channels: tuple[str, ...] | None

    def poses(self, scene: bpy.types.Scene, facts: ModelFacts, stem: str) -> list[ScenePose]:
        """The cameras, under names that begin with a subject's stem.

        Raises:
            SceneError, UsageError: there are none, or one cannot be used.
        """
        if self.choice is None:
            return chosen_poses(scene, facts, self.source, self.selected, stem)
        return named_poses(chosen_cameras(scene, facts, self.choice).poses, stem)


def wanted_views(context: bpy.types.Context, given: Any) -> WantedViews:
    """What the operator is asked for.

    Raises:
        UsageError: what a script gives does not go together.
    """
    scene = context.scene
    choice = chosen(context, given, "ONE")
    measures = sorted((choice.by_script & {*CameraOptions.__annotations__, "camera", "center_object"}) - {"cameras"})
    if measures and "cameras" not in choice.by_script:
        raise UsageError(f"{measures[0]}: expected cameras beside it, found none; say which cameras it is of")
    if "resolution" in choice.by_script and choice["cameras"] not in (*RULES, "PATH"):
        raise UsageError("resolution: expected none beside cameras of the scene, whose render size is taken; leave it out")
    size_px = choice["resolution"] if "resolution" in choice.by_script else 0
    of_rule = choice["cameras"] in RULES
    sized = {**choice.values, "resolution": size_px or (scene.dnerf.size_px if of_rule else 0)}
    channels = None
    if "channels" in choice.by_script:
        channels = tuple(name for name in VIEW_CHANNELS if name in choice["channels"])
        if "rgb" not in channels:
            raise UsageError("channels: expected rgb among them, which the list of views shows, found none; add it")
    return WantedViews(
        chosen_subjects(scene, Given(given, scene.dnerf)),
        scene.dnerf.view_source,
        selected_cameras(context),
        dataclasses.replace(choice, values=sized) if "cameras" in choice.by_script else None,
        channels,
    )
