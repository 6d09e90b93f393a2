"""The demo as the engines of tests find it: loaded, its first subjects solid, since each would take a second to make them.

It runs in the process that engines are forked from, so that nothing that a test changes is seen by the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject

NAME = "demo-cars"
SEEDS = (0, 3)
"""The panel's own, and the one that most tests choose."""


def keep_demo() -> None:
    """Load the demo on the processor, and let engines take it where they would load it; the same bits as they would make."""
    import headless.runs.adding.views
    import headless.runs.pointcloud
    import headless.runs.video  # noqa: F401
    from dnerf_core.subject_key import SubjectKey
    from headless import models

    load_model, open_subject = models.load_model, SubjectKey.open
    demo = load_model(NAME, "cpu")
    with models.one_thread_a_view():
        subjects = {seed: demo.subject(seed) for seed in SEEDS}
        for subject in subjects.values():
            subject.prepare()
            subject.render(demo.front_camera())

    def loaded(name_or_path: str, device: str, *, exact: bool = False) -> Model:
        kept = name_or_path == NAME and device == "cpu" and not exact
        return demo if kept else load_model(name_or_path, device, exact=exact)

    def opened(key: SubjectKey, model: Model) -> Subject:
        kept = model is demo and (key.file, key.pose, key.truncation) == (None, None, 1.0) and key.seed in subjects
        return subjects[key.seed] if kept else open_subject(key, model)

    models.load_model = loaded
    SubjectKey.open = opened  # type: ignore[method-assign, assignment]
