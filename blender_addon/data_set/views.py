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
from ..ranged import number_property, whole_property
from ..scene.cameras import ScenePose
from ..subjects import seed_stem, seed_token, subject_stem, subject_token
from ..viewpoints import chosen_poses, named_poses, selected_cameras
from .cameras import chosen_cameras
from .chosen import Chosen, chosen
from .options import RULES, CameraOptions, SubjectOptions

_USUAL_TRUNCATION = 1.0


class ViewOptions(SubjectOptions, CameraOptions):
    """What a script may give; what it leaves out is the panel's."""

    truncation: number_property(job_ranges.TRUNCATION, "Truncation")
    center_object: bpy.props.StringProperty(name="Centre object", description="The name of what the cameras stand about")
    camera: bpy.props.StringProperty(name="Camera", description="The name of the one camera, or the animated one")
    resolution: whole_property(
        job_ranges.RESOLUTION, "Size", description="Side of a rule's pictures, pixels", left_open="the panel's"
    )
    output: bpy.props.StringProperty(name="Save to", description="Folder of the views; empty: the panel's", subtype="DIR_PATH")


@dataclass(frozen=True)
class WantedViews:
    """Views that are asked for.

    Attributes:
        subjects: each a token with its stem, see `subjects`.
        source: of the panel's cameras, where a script gives none.
        selected: the cameras that were selected.
        choice: the cameras that a script gives; None: the panel's count.
    """

    subjects: tuple[tuple[str, str], ...]
    source: str
    selected: Sequence[Held]
    choice: Chosen | None

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
    return WantedViews(
        _subjects(scene, choice),
        scene.dnerf.view_source,
        selected_cameras(context),
        dataclasses.replace(choice, values=sized) if "cameras" in choice.by_script else None,
    )


def _subjects(scene: bpy.types.Scene, choice: Chosen) -> tuple[tuple[str, str], ...]:
    """Those of a script, or the scene's."""
    if not choice.by_script & {"seeds", "subjects", "truncation"}:
        return ((subject_token(scene), subject_stem(scene)),)
    truncation = choice.subjects.get("truncation", _USUAL_TRUNCATION)
    seeds = choice.subjects.get("seeds") or range(choice.subjects["subjects"])
    return tuple((seed_token(seed, truncation), seed_stem(seed, truncation)) for seed in seeds)
