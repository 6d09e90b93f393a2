"""What one asks for who has a subject laid into the pictures of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from dnerf_core.errors import UsageError
from dnerf_core.labels import LabelSet
from dnerf_core.ranges import Choice, Number, Whole, ranged
from headless.runs.adding.call import AddViewsCall
from headless.runs.compositing.scene_files import SceneFiles, scene_sha256

if TYPE_CHECKING:
    from dnerf_core.checkpoints.model_facts import ModelFacts
    from headless.datasets.adding.views import AddedView
    from headless.datasets.formats.card import Origin

SUBJECT_LABEL = "subject"
"""The one part of subjects whose model has no labels."""
LABELS_BY = Choice(("object", "material"), "object")
PASS_INDEX = Whole(1, 32767)
DEPTH_SCALE = Number(1e-9, 1e9, None)


@dataclass(frozen=True, kw_only=True)
class CompositeCall(AddViewsCall):
    """What is to be composed.

    Attributes:
        scenes: one for each camera; none: the call can only be checked.
        label_set: the model's labels (`subject` of a model without), then one for each of `indices`.
        indices: the pass indices that are labelled, each once.
        labels_by: whether they are objects' or materials'.
        poses: that the subject takes in each view; empty: its own in all.
        blend_file, blender: the scene's file, by its name, and the version of Blender.
    """

    scenes: Sequence[SceneFiles] = ()
    label_set: LabelSet
    indices: Sequence[int] = ()
    labels_by: Literal["object", "material"] = ranged(LABELS_BY)
    poses: Sequence[tuple[float, ...] | None] = ()
    blend_file: str = ""
    blender: str = ""
    command: ClassVar[str] = "composite"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in (("scenes", self.scenes), ("poses", self.poses)):
            if values and len(values) != len(self.cameras):
                raise UsageError(
                    f"{name}: expected one for each of {len(self.cameras)} cameras, found {len(values)}; correct them"
                )
        if len(set(self.indices)) != len(self.indices):
            raise UsageError(f"indices: expected each pass index once, found {list(self.indices)}; give each its own label")

    def labels(self, facts: ModelFacts) -> LabelSet:
        """The merged set.

        Raises:
            UsageError: it does not begin with the model's, or does not go on with one for each index.
        """
        own = facts.labels if facts.has_semantics and facts.labels is not None else LabelSet.from_names([SUBJECT_LABEL])
        count = own.num_classes
        if self.label_set.labels[:count] != own.labels or self.label_set.num_classes != count + len(self.indices):
            raise UsageError(
                f"label_set: expected {own.names_text()}, then {len(self.indices)} of the scene, found {self.label_set.names_text()}; "
                "ask for the model's labels again"
            )
        return self.label_set

    def origin(self, facts: ModelFacts) -> Origin:
        """As views of the subject alone have it, and that there is a scene."""
        return replace(super().origin(facts), has_scene=True)

    def views(self) -> list[AddedView]:
        """The views with what the scene shows in each.

        Raises:
            UsageError: a file of the scene cannot be used.
        """
        from headless.datasets.adding.views import SceneAround

        poses = self.poses or [None] * len(self.cameras)
        return [
            replace(
                view,
                pose=pose,
                scene=SceneAround(scene_sha256(scene, self.labels_by), self.blend_file, self.blender, scene.frame),
            )
            for view, pose, scene in zip(super().views(), poses, self.scenes, strict=True)
        ]
