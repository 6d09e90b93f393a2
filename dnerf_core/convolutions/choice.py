"""Which form convolutions run in on a device: on a CPU by a measurement of it, on a CUDA device by its matrix units."""

from __future__ import annotations

import os
from threading import Lock

import torch

from dnerf_core.convolutions.forms import BFLOAT16, FLOAT32, FORMATS, ConvolutionForm
from dnerf_core.convolutions.measured import Circumstances, Measurement, kept_measurement, user_cache_folder
from dnerf_core.convolutions.timing import measured_seconds
from dnerf_core.errors import UsageError
from dnerf_core.work.precision import has_bfloat16_units

VARIABLE = "DNERF_CONVOLUTIONS"
"""Says the number format in the place of a measurement."""
BEARABLE = 4.0
"""So many times what float32 takes, a form that an earlier call chose may take; past that the call is refused."""

_measured: dict[str, Measurement] = {}
_measuring = Lock()


def chosen_form(device: torch.device) -> ConvolutionForm:
    """The form for new work on a device: what the environment says, else the faster one.

    Raises:
        UsageError: the environment says something else than a number format.
    """
    if named := os.environ.get(VARIABLE):
        if named not in FORMATS:
            raise UsageError(f"{VARIABLE}: expected {' or '.join(FORMATS)}, found {named!r}; correct or unset it")
        return BFLOAT16 if named == "bfloat16" else FLOAT32
    if device.type == "cuda":
        return BFLOAT16 if has_bfloat16_units(device) else FLOAT32
    return cpu_measurement().chosen if device.type == "cpu" else FLOAT32


def cpu_measurement() -> Measurement:
    """The measurement of this processor, as it is kept; made where it is not. The same throughout a process."""
    circumstances = Circumstances.here(torch.__version__)
    with _measuring:
        if circumstances.file_name not in _measured:
            folder = user_cache_folder()
            _measured[circumstances.file_name] = kept_measurement(folder, circumstances, measured_seconds)
        return _measured[circumstances.file_name]


def why_not(form: ConvolutionForm, device: torch.device) -> str | None:
    """Why a device cannot go on in a form that was chosen elsewhere; None: it can."""
    if device.type == "cuda":
        lacks = form.format == "bfloat16" and not has_bfloat16_units(device)
        return f"{torch.cuda.get_device_name(device)} has no matrix units for it" if lacks else None
    if device.type != "cpu":
        return None
    measured = cpu_measurement()
    taken, usual = measured.seconds[form.name], measured.seconds[FLOAT32.name]
    assert usual is not None
    if taken is None:
        return "this processor has no instructions for it"
    times = taken / usual
    return f"this processor takes {times:.0f} times as long in it as in float32" if times > BEARABLE else None
