"""What `sample --next` chooses, by a model: painted views and candidates opened one subject at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.backbone.protocols import Planes
from dnerf_core.camera import Camera
from dnerf_core.files.annotated_folder import Annotations
from dnerf_core.files.names import view_name
from dnerf_core.model import Model
from dnerf_core.semantic.choosing.ensemble import EnsembleConfig
from dnerf_core.semantic.choosing.views import ChoosingConfig, SeenView, choose_next
from dnerf_core.subject import Subject
from dnerf_core.subject_key import SubjectKey, subject_key
from headless.annotating.chosen_views import numbered
from headless.annotating.training_run import opened_subject
from headless.datasets.plan import ViewPlan, plan_subject


def choose(
    model: Model,
    painted: Annotations,
    pool: ViewPlan,
    *,
    subjects: int,
    views_each: int,
    seed: int,
    progress: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Choose views of a plan's candidates, and tell why, as JSON values for a record.

    Args:
        pool: all candidates.
        subjects, views_each: how many subjects, and views of each.
        seed: of the ensemble.
        progress: called after each view that was looked at.

    Raises:
        DNeRFError: as `choose_next`, or a subject cannot be opened.
    """
    opened = _OneSubject(model)
    known = {key: number for number, key in enumerate(dict.fromkeys(image.subject.unposed for image in painted.images))}
    images = sorted(painted.images, key=lambda image: known[image.subject.unposed])
    seen = [opened.seen(known[image.subject.unposed], image.subject, image.camera, image.mask) for image in images]
    planned = [view for number in pool.seeds for view in plan_subject(pool, model.config.cameras, number)]
    candidates = [opened.seen(view.seed, subject_key(pool, view.seed)._replace(pose=view.pose), view.camera) for view in planned]
    config = ChoosingConfig(ensemble=EnsembleConfig(seed=seed))
    found = choose_next(
        model.generator,
        seen,
        candidates,
        num_classes=painted.labels.num_classes,
        subjects=subjects,
        views_each=views_each,
        config=config,
        progress=progress,
    )
    taken = [planned[one.choice.candidate] for one in found]
    places = numbered([view.seed for view in taken], bool(pool.subject_files))
    names = [f"{image.mask_path.parent.parent.name}/{image.name}" for image in images]
    names += [f"candidate {number}" for number in range(len(planned))]
    for one, (number, view) in zip(found, places, strict=True):
        names[len(images) + one.choice.candidate] = view_name(number, view)
    views = []
    for order, (one, planned_view, (number, view)) in enumerate(zip(found, taken, places, strict=True), 1):
        views.append(
            {
                "name": view_name(number, view),
                "seed": number,
                "view": view,
                "order": order,
                "candidate_subject": planned_view.seed,
                "candidate_view": planned_view.view,
                "uncertainty": round(one.choice.uncertainty, 8),
                "uncertainty_rank": one.uncertainty_rank,
                "uncertainty_by_class": {
                    name: round(share, 4) for name, share in zip(painted.labels.names, one.class_shares, strict=True)
                },
                "distance": round(one.choice.distance, 6),
                "nearest": None if one.choice.nearest is None else names[one.choice.nearest],
                **planned_view.camera.to_json(),
                **({} if planned_view.pose is None else {"pose": list(planned_view.pose)}),
            }
        )
    return {
        "seed": seed,
        "members": config.ensemble.members,
        "painted_views": len(images),
        "candidates": len(planned),
        "candidate_subjects": len(pool.seeds),
        "views": views,
    }


class _OneSubject:
    """Opens subjects; the last one stays, so that its views share what it is made of."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._last: tuple[SubjectKey, Subject] | None = None

    def _opened(self, key: SubjectKey) -> Subject:
        own = key.unposed
        if self._last is None or self._last[0] != own:
            self._last = (own, opened_subject(own, self.model))
        subject = self._last[1]
        return subject if key.pose is None else subject.posed(self.model.pose(key.pose))

    def seen(self, number: int, key: SubjectKey, camera: Camera, mask: NDArray[np.uint8] | None = None) -> SeenView:
        """A view of a subject, which is opened again when it is looked at."""

        def planes() -> Planes:
            return self._opened(key).planes

        latent = self._opened(key.unposed).ws[0].mean(dim=0).double().cpu().numpy()
        return SeenView(number, planes, latent, camera, key.pose or (), mask)
