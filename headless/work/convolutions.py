"""The form that the convolutions of a folder's views run in: what its record says, or this machine's choice, which is then recorded.

A folder's bytes are of one form, whoever goes on with it: another call, another part of it, another machine, one whose measurement has
been lost. Where a machine cannot compute in the recorded form, the call is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnerf_core.convolutions.forms import FORMS, ConvolutionForm
from dnerf_core.errors import OutputError, brief
from headless.work.result_folder import CONVOLUTIONS_KEY, ResultFolder

if TYPE_CHECKING:
    from dnerf_core.model import Model
    from dnerf_core.subject import Subject


def settled_form(folder: ResultFolder, device: str | None, *, exact: bool) -> ConvolutionForm | None:
    """The form for a folder's views; None: each machine's own, since the record tells none, or since they are exact.

    A new folder's record gets this machine's choice. It is to be called before the folder is taken.

    Args:
        device: "auto", "cpu" or "cuda"; None: not this machine computes, and a new folder's record tells no form.

    Raises:
        OutputError: the record names a form that there is not, or one in which this machine cannot compute.
        UsageError: the device is not there, or the environment names no form.
    """
    if exact:
        return None
    earlier = folder.earlier_record()
    if earlier is None:
        return None if device is None else _chosen(folder, device)
    if (entry := earlier.get(CONVOLUTIONS_KEY)) is None:
        return None
    found = entry if isinstance(entry, dict) else {}
    form = ConvolutionForm.read(found.get("format"), found.get("layout"))
    if form is None:
        known = " or ".join(known.name for known in FORMS)
        raise OutputError(
            f"{folder.path}: expected a record whose {CONVOLUTIONS_KEY} are {known}, found {brief(entry)}; choose another --output"
        )
    folder.record[CONVOLUTIONS_KEY] = entry
    if device is not None:
        check_form(folder, form, device)
    return form


def check_form(folder: ResultFolder, form: ConvolutionForm, device: str) -> None:
    """Refuse a form that this machine cannot go on in.

    Raises:
        OutputError: it has no instructions for it, or takes many times as long.
        UsageError: the device is not there.
    """
    import torch

    from dnerf_core.convolutions.choice import why_not
    from headless.models import pick_device

    reason = why_not(form, torch.device(pick_device(device)))
    if reason is not None:
        raise OutputError(
            f"{folder.path}: expected a machine that computes in {form.format}, as its record has it, but {reason}; go on where it was "
            "begun, or choose another --output"
        )


def _chosen(folder: ResultFolder, device: str) -> ConvolutionForm:
    import torch

    from dnerf_core.convolutions.choice import chosen_form
    from dnerf_core.convolutions.measured import Circumstances
    from headless.models import pick_device

    place = torch.device(pick_device(device))
    form, here = chosen_form(place), Circumstances.here(torch.__version__)
    processor = torch.cuda.get_device_name(place) if place.type == "cuda" else here.processor
    entry: dict[str, Any] = {"format": form.format, "layout": form.layout, "processor": processor, "torch": here.torch}
    folder.record[CONVOLUTIONS_KEY] = entry | ({"limits": here.limits} if here.limits and place.type == "cpu" else {})
    return form


def model_in_form(model: Model, form: ConvolutionForm | None) -> Model:
    """A model whose views are computed in a form; None: as it is."""
    return model if form is None else model.with_convolutions(form)


def subject_in_form(subject: Subject, form: ConvolutionForm | None) -> Subject:
    """A subject whose views are computed in a form; None: as it is."""
    model = subject.model if form is None else subject.model.with_convolutions(form)
    return subject if model is subject.model else type(subject)(model, subject.ws, subject.pose, subject.shape)
