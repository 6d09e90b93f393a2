"""Named shapes: what is bound, and what each message says."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from dnerf_core.errors import AnnotationError, UsageError
from dnerf_core.shapes import check_shapes

RGB = np.zeros((4, 6, 3), np.uint8)
MASK = np.zeros((4, 6), np.uint8)


def test_names_are_bound_across_arguments() -> None:
    assert check_shapes(rgb=(RGB, "uint8 H W 3"), mask=(MASK, "H W")) == {"H": 4, "W": 6}
    assert check_shapes(image=(torch.zeros(2, 3, 4, 6), "float B 3 H W"), region=(torch.zeros(1, 1, 4, 6), "B|1 1 H W")) == {
        "B": 2,
        "H": 4,
        "W": 6,
    }
    assert check_shapes(uv=(np.zeros((5, 7, 2)), "S... 2"), depth=(np.zeros((5, 7)), "S...")) == {"S...": (5, 7)}
    assert check_shapes(uv=(np.zeros(2), "S... 2"), depth=(np.zeros(()), "S...")) == {"S...": ()}


def test_what_is_left_out_is_not_looked_at() -> None:
    assert check_shapes(rgb=(None, "uint8 H W 3"), mask=(MASK, "H W")) == {"H": 4, "W": 6}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"rgb": (RGB, "uint8 H W 3"), "mask": (MASK[:2], "uint8 H W")},
            "mask: expected uint8 [4, 6] to go with rgb, found uint8 [2, 6]; resize one of them",
        ),
        (
            {"rgb": (RGB.astype(float), "uint8 H W 3")},
            "rgb: expected uint8 [H, W, 3], found float64 [4, 6, 3]; pass an array of that shape",
        ),
        ({"rgb": (RGB, "H W 4", "convert it")}, "rgb: expected shape [H, W, 4], found [4, 6, 3]; convert it"),
        ({"rgb": (RGB, "H W")}, "rgb: expected shape [H, W], found [4, 6, 3]; pass an array of that shape"),
        ({"uv": (RGB, "float ... 2")}, "uv: expected floats [..., 2], found uint8 [4, 6, 3]; pass an array of that shape"),
        (
            {"image": (torch.zeros(3, 2), "B C"), "weight": (torch.zeros(2, 2), "B|1 C")},
            "weight: expected shape [3 or 1, 2] to go with image, found [2, 2]; resize one of them",
        ),
        (
            {"uv": (np.zeros((5, 2)), "S... 2"), "depth": (np.zeros(4), "S...")},
            "depth: expected shape [5] to go with uv, found [4]; resize one of them",
        ),
        (
            {"a": (np.zeros(3), "N"), "b": (np.zeros(2), "M"), "c": (np.zeros((3, 3)), "N M")},
            "c: expected shape [3, 2] to go with a and b, found [3, 3]; resize one of them",
        ),
        ({"matrix": (MASK, "N N")}, "matrix: expected shape [N, N], found [4, 6]; pass an array of that shape"),
        ({"mask": ([[0, 1]], "uint8 H W")}, "mask: expected uint8 [H, W], found list; pass an array"),
        ({"ids": (torch.zeros(2), "int N")}, "ids: expected whole numbers [N], found float32 [2]; pass an array of that shape"),
    ],
)
def test_the_first_that_does_not_fit_is_named(arrays: dict, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        check_shapes(**arrays)


def test_the_error_and_the_place_are_the_callers() -> None:
    with pytest.raises(AnnotationError, match=r"^view 3: mask: expected uint8 \[H, W\]"):
        check_shapes(AnnotationError, "view 3", mask=(RGB, "uint8 H W"))
    with pytest.raises(AnnotationError, match=r"^predicted mask: expected"):
        check_shapes(AnnotationError, **{"predicted mask": (RGB, "uint8 H W")})


@pytest.mark.parametrize("shape", ["H W uint8", "uint8 float H", "... S...", "H-1", "h"])
def test_a_shape_that_is_none_is_a_mistake_in_the_program(shape: str) -> None:
    if shape == "h":  # a word in small letters is a dtype's name
        with pytest.raises(UsageError, match="expected h "):
            check_shapes(mask=(MASK, shape))
        return
    with pytest.raises(ValueError, match="shape: expected one such as"):
        check_shapes(mask=(MASK, shape))
