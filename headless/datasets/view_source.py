"""Where the subjects of a `render` come from, as data: what any process needs to open the model and to see its subjects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnerf_core.checkpoints import model_facts
from dnerf_core.convolutions.forms import ConvolutionForm
from dnerf_core.errors import CheckpointError
from dnerf_core.multiview.consistent_views import Relabelling, voting_cameras, voting_subset
from headless import models
from headless.datasets.channels import seen_channels
from headless.datasets.plan import ViewPlan
from headless.datasets.poses.given import Pose
from headless.datasets.poses.subjects import PosedSubjects
from headless.datasets.seen import MakeSubject, RenderView, consistent_view
from headless.work.convolutions import model_in_form, settled_form

if TYPE_CHECKING:
    from dnerf_core.camera import Camera
    from dnerf_core.model import Model
    from dnerf_core.subject import PartialView
    from headless.datasets.folder import DatasetFolder


@dataclass(frozen=True)
class ViewSource:
    """A model and what is to be seen of it. It can be pickled and sent to another process.

    Attributes:
        model_name: the model as the command names it.
        device: as `load_model` has it.
        plan: what the views are.
        form: that convolutions run in; None: each machine's own.
    """

    model_name: str
    device: str
    plan: ViewPlan
    form: ConvolutionForm | None = None

    def check(self) -> None:
        """Make sure that the files of the model and the subjects are the plan's; for a process that did not make the plan.

        Raises:
            UsageError: no such model.
            CheckpointError: another file, or one that cannot be used.
        """
        facts = model_facts.describe_model(self.model_name)
        if facts.sha256 != self.plan.model_sha256:
            raise CheckpointError(
                f"{facts.path}: expected the model that the command was called with, sha256 {self.plan.model_sha256[:16]}..., "
                f"found sha256 {facts.sha256[:16]}...; put the same file there"
            )
        for file in self.plan.subject_files:
            file.check()

    def open(self, load: Callable[[str], Model] | None = None) -> MakeSubject:
        """Load the model; gives its subjects by seed.

        Args:
            load: gives the model by its name, for plans that do not read every sample; None: it is loaded anew.

        Raises:
            UsageError: the device is not there.
            CheckpointError: no such model, or its file cannot be used.
        """
        if load is not None and not self.plan.exact:
            return subject_maker(model_in_form(load(self.model_name), self.form), self.plan)
        model = models.load_model(self.model_name, self.device, exact=self.plan.exact)
        return subject_maker(model_in_form(model, self.form), self.plan)


def settled_source(folder: DatasetFolder, model_name: str, device: str, *, here: bool) -> ViewSource:
    """What a folder's views are seen in, in the form that `settled_form` tells; to be called before the folder is taken.

    Args:
        here: whether this machine computes them.
    """
    form = settled_form(folder, device if here else None, exact=folder.plan.exact)
    return ViewSource(model_name, device, folder.plan, form)


def subject_maker(model: Model, plan: ViewPlan) -> MakeSubject:
    """From a subject's number to a function that sees the subject in the channels that the plan's files are made of."""
    engine_channels = seen_channels(plan.channels, consistent=plan.consistent)
    config = model.config.cameras
    voting = voting_cameras(config, plan.yaw_deg, plan.pitch_deg) if plan.given is None else voting_subset(plan.given.cameras)

    def make(seed: int) -> RenderView:
        poses = PosedSubjects(plan.subject(seed).open(model))

        def render(camera: Camera, size_px: int, pose: Pose | None = None) -> PartialView:
            return poses.posed(pose).channels(camera, size_px, engine_channels)

        if not plan.consistent:
            return render
        return consistent_view(render, poses.remembered(lambda subject: Relabelling(model, subject, voting)))

    return make
