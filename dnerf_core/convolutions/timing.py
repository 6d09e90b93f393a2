"""What a super-resolution takes in each form, by running one: the layers of EG3D's published 512-pixel one, on a strip of its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dnerf_core.convolutions.forms import FLOAT32, FORMS, ConvolutionForm
from dnerf_core.stylegan2.config import SuperResolutionConfig
from dnerf_core.stylegan2.prepared import PreparedSuperResolution
from dnerf_core.stylegan2.superresolution import SuperResolution
from dnerf_core.work.precision import conv_leaky_relu

ROWS, COLUMNS = 4, 128
"""Of the features: whole rows as a view has them, a 32nd of its work."""
ROUNDS = 3
BUDGET_S = 0.25
"""No round begins after so much time; one is always timed."""
HOPELESS = 1.5
"""A form that takes so many times the fastest one's time is not timed again."""
EMULATED = 8.0
"""A form whose smallest convolution takes so many times float32's is emulated, and not tried further."""
AGREEMENT_DB = 30.0
"""Signal to noise against float32 that a form must have to be usable; bfloat16 has over 40. A kernel that is wrong has none."""

Clock = Callable[[], float]


def measured_seconds(clock: Clock = time.perf_counter) -> dict[ConvolutionForm, float | None]:
    """Seconds of each form on one thread, the least of a few rounds that take the forms in turn; None of one that cannot be used.

    Random numbers that the caller draws afterwards are the same as without it.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]), _one_thread():
        torch.default_generator.manual_seed(0)
        module, ws = SuperResolution(SuperResolutionConfig(), 32, 16), torch.randn(1, 1, 16)
        features = torch.randn(1, 32, ROWS, COLUMNS)
        usable = [FLOAT32, *_native(clock)]
        runs = {form: PreparedSuperResolution(module, ws, form.dtype, form.memory_format) for form in usable}
        images = {form: runs[form].refine(features, features[:, :3]) for form in usable}  # kernels are made with the first call
        usable = [form for form in usable if _agrees(images[form], images[FLOAT32])]
        seconds: dict[ConvolutionForm, float | None] = dict.fromkeys(FORMS)
        started = clock()
        for number in range(ROUNDS):
            if number and clock() - started > BUDGET_S:
                break
            for form in usable:
                begun = clock()
                runs[form].refine(features, features[:, :3])
                taken, least = clock() - begun, seconds[form]
                seconds[form] = taken if least is None else min(least, taken)
            least = min(value for value in seconds.values() if value is not None)
            usable = [form for form in usable if (seconds[form] or least) < HOPELESS * least]
    return seconds


def _native(clock: Clock) -> Iterator[ConvolutionForm]:
    """The forms besides float32 whose convolutions run here at a speed that is worth measuring."""
    limit = EMULATED * _smallest(FLOAT32, clock)
    for form in FORMS:
        if form != FLOAT32:
            try:
                taken = _smallest(form, clock)
            except RuntimeError:  # torch's word for a processor without the instructions
                continue
            if taken < limit:
                yield form


def _smallest(form: ConvolutionForm, clock: Clock) -> float:
    """Seconds of one small convolution, at best."""
    x = torch.randn(1, 32, 8, 8).to(form.dtype, memory_format=form.memory_format)
    weight = torch.randn(32, 32, 3, 3).to(form.dtype, memory_format=form.memory_format)
    bias = torch.zeros(32, dtype=form.dtype)
    conv_leaky_relu(x, weight, bias)
    times = []
    for _ in range(5):
        begun = clock()
        conv_leaky_relu(x, weight, bias)
        times.append(clock() - begun)
    return min(times)


def _agrees(image: Tensor, expected: Tensor) -> bool:
    noise, signal = (image - expected).square().mean(), expected.var()
    return bool(noise < signal * 10 ** (-AGREEMENT_DB / 10))  # false for what is no number, too


@contextmanager
def _one_thread() -> Iterator[None]:
    """Data sets give each view one thread; so what is measured depends on no number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
