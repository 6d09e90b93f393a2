"""Calls of `render` on a folder whose views were added one by one: they go on with these, or add their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dnerf_core.errors import OutputError
from headless.datasets.adding.found import found_views
from headless.datasets.adding.views import AddedView
from headless.datasets.earlier import plan_of_render
from headless.datasets.plan import ViewPlan, added_plan, plan_subject

if TYPE_CHECKING:
    from dnerf_core.backbone.viewing import CameraConfig


class NamesViews(Protocol):
    """The options of a call that say which views it means; see `headless.runs.render.RenderCall`."""

    @property
    def extend(self) -> bool: ...
    @property
    def truncation(self) -> float: ...


_OPTIONS = (
    *("seeds", "subjects", "subject_files", "views", "yaw", "pitch", "cameras", "view_distribution", "random_views"),
    *("pose", "random_poses"),
)


def with_added(plan: ViewPlan, folder: Path, cameras: CameraConfig, call: NamesViews) -> ViewPlan:
    """The plan of a call, where the folder's views were added one by one: theirs, with `--extend` those of the call besides.

    A call that names neither subjects nor cameras means the views that are there. Any other plan, and that of another folder, stays.

    Raises:
        OutputError: the record cannot be read, or the call names views without `--extend`.
    """
    earlier = plan_of_render(folder)
    if earlier is None or "added" not in earlier:
        return plan
    added = found_views(earlier, folder)
    if any(getattr(call, name) for name in _OPTIONS) or call.truncation != 1.0:
        if not call.extend:
            raise OutputError(
                f"{folder}: expected --extend, or no --seeds, --views and the like, for a folder whose views were added one by one, found "
                "neither; add --extend, leave them out, or choose another --output"
            )
        for seed in plan.seeds:
            views = [AddedView(view.view, view.camera, view.pose) for view in plan_subject(plan, cameras, seed)]
            added, _ = added.joined(plan.subject(seed), views)
    return added_plan(plan, added)
