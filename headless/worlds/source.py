"""Exact worlds as view jobs and cloud jobs see subjects: functions from cameras to views, and objects with views to be fused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from dnerf_core.camera import Camera, WorldUp
from dnerf_core.demo.exact_worlds import ExactWorld, exact_world
from dnerf_core.files.posed_folder import subject_name
from dnerf_core.labels import LabelSet
from dnerf_core.photographs.photograph import photograph
from dnerf_core.photographs.strengths import draw_strengths
from dnerf_core.pointcloud.cloud import PointCloud
from dnerf_core.rendering.labeled_view import LabeledView, PartialView
from headless.datasets.plan import plan_subject
from headless.datasets.poses.given import Pose
from headless.datasets.seen import MakeSubject, RenderView
from headless.worlds.plan import WorldPlan


def subject_maker(plan: WorldPlan) -> MakeSubject:
    """From a seed to a function that sees its subject, as a photograph where the plan asks for such."""
    world = exact_world(plan.world)

    def make(seed: int) -> RenderView:
        numbers = {view.camera.cam2world.tobytes(): view.view for view in plan_subject(plan, world.cameras, seed)}

        def see(camera: Camera, size_px: int, pose: Pose | None = None) -> PartialView:
            view = world.view(seed, camera, size_px)
            strengths = draw_strengths(plan.photograph, seed, numbers[camera.cam2world.tobytes()])
            rgb = view.rgb if strengths is None else photograph(view.cutout, strengths, world.cameras.world_up)
            return PartialView(rgb, view.mask, view.depth_planar)

        return see

    return make


class _Once:
    """Views that are made together, when the first of them is asked for."""

    def __init__(self, make: Callable[[], list[LabeledView]]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._views: list[LabeledView] = []

    def view(self, index: int) -> LabeledView:
        """One of them."""
        with self._lock:
            self._views = self._views or self._make()
        return self._views[index]


@dataclass(frozen=True)
class ScannedWorld:
    """The subjects of a plan's seeds, each seen by the plan's cameras: a `headless.clouds.sources.CloudSource`."""

    plan: WorldPlan

    @cached_property
    def world(self) -> ExactWorld:
        """The world."""
        return exact_world(self.plan.world)

    @cached_property
    def _seeds(self) -> dict[str, int]:
        return {subject_name(seed): seed for seed in self.plan.seeds}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._seeds)

    @property
    def labels(self) -> LabelSet | None:
        return self.world.labels

    @property
    def world_up(self) -> WorldUp:
        return self.world.cameras.world_up

    def to_json(self) -> dict[str, Any]:
        """As a record names it."""
        plan = self.plan.to_json()
        return {"clouds_of": "views"} | {key: plan[key] for key in plan if key not in _OF_FILES}

    def views(self, name: str) -> list[Callable[[], LabeledView]]:
        seed = self._seeds[name]
        cameras = [view.camera for view in plan_subject(self.plan, self.world.cameras, seed)]
        seen = _Once(partial(self.world.around, seed, cameras, self.plan.resolution_px))
        return [partial(seen.view, index) for index in range(len(cameras))]

    def placed(self, name: str, cloud: PointCloud) -> PointCloud:
        return cloud

    def surfaces(self, points: int, names: Sequence[str]) -> Iterator[tuple[str, PointCloud]]:
        """Clouds of so many points spread over the whole surface of some subjects."""
        for name in names:
            yield name, self.world.surface(self._seeds[name], points)

    def surface_json(self) -> dict[str, Any]:
        """As a record names it where clouds are of the surface, which no camera sees."""
        plan = self.plan.to_json()
        return {"clouds_of": "surface"} | {key: plan[key] for key in ("world", "world_sha256", "seeds")}


_OF_FILES = {"channels", "depth_format", "mask_format", "exr_channel", "photograph", "splits"}
"""What a plan says of pictures' files, which clouds have none of."""
