"""The views of a call's subjects that clouds and meshes are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerf_core import job_ranges
from dnerf_core.checkpoints import model_facts
from dnerf_core.own_views import ALL_AROUND_YAW_DEG, view_ranges
from headless.runs.choices import check_total, chosen_views
from headless.runs.poses import read_motion
from headless.runs.shared_calls import FusedViewsCall

if TYPE_CHECKING:
    from headless.clouds.sources import ModelSource


def model_source(call: FusedViewsCall) -> ModelSource:
    """A model's subjects, each seen by the views of a call.

    Raises:
        DNeRFError: no such model or file of cameras, or options that do not go together.
    """
    from dnerf_core.subject_key import checked_subject_files
    from dnerf_core.work.made_once import Once
    from headless import models
    from headless.cameras.given import chosen_cameras
    from headless.clouds.sources import ModelSource
    from headless.datasets.plan import ViewPlan

    seeds = call.chosen_seeds()
    facts = model_facts.describe_model(call.model_name)
    motion = read_motion(call, facts)
    yaw_deg, pitch_deg = view_ranges(
        facts.config.cameras, call.yaw, call.pitch, drawn=call.random_views, default_yaw_deg=ALL_AROUND_YAW_DEG
    )
    given, side_px = chosen_cameras(call.cameras, facts.config, call.cameras_up, call.resolution)
    views = chosen_views(call.views, yaw_deg, pitch_deg, job_ranges.CLOUD_VIEWS) if given is None else len(given.cameras)
    view_plan = ViewPlan(
        model_name=facts.config.name,
        model_sha256=facts.sha256,
        seeds=seeds,
        views=views,
        yaw_deg=yaw_deg,
        pitch_deg=pitch_deg,
        spacing="uniform" if call.random_views else "even",
        truncation=call.truncation,
        resolution_px=call.resolution or side_px or facts.config.image_size,
        channels=("rgb", "mask", "depth") if facts.has_semantics else ("rgb", "depth"),
        depth_format=None,
        exact=call.exact,
        given=given,
        subject_files=checked_subject_files(call.subject_files, facts.path),
    )
    check_total(len(seeds) * (1 if motion is None else len(motion)), view_plan.views)
    model = Once(lambda: models.load_model(call.model_name, call.device, exact=call.exact))
    return ModelSource(view_plan, facts.config, facts.labels if facts.has_semantics else None, model, motion)
