"""What becomes of a view: sizes, ids, sides, and the same for the same number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnerf_core.downstream.images.augment import MEAN, STD, Augmentation, Augmenter, normalized
from dnerf_core.downstream.images.sides import mirrored_ids, other_side
from dnerf_core.errors import UsageError
from dnerf_core.labels import IGNORE_ID, LabelSet
from tests.core.downstream.small_sets import small_view

PLAIN = np.arange(256, dtype=np.uint8)
STILL = {"scale": 1.0, "flip": False, "color": 0.0}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("left eye", "right eye"),
        ("r_brow", "l_brow"),
        ("RightArm", "LeftArm"),
        ("eye.L", "eye.R"),
        ("LEFT-LEG", "RIGHT-LEG"),
        ("hand_left2", "hand_right2"),
        ("roof", None),
        ("cleft lip", None),
        ("bright", None),
        ("lower lip", None),
    ],
)
def test_the_other_side_of_a_name(name: str, other: str | None) -> None:
    assert other_side(name) == other


def test_sides_change_places_or_are_refused() -> None:
    table = mirrored_ids(LabelSet.from_names(["left eye", "nose", "Right eye"]))
    assert table[:5].tolist() == [0, 3, 2, 1, 4] and table[255] == 255
    with pytest.raises(UsageError, match=r"--flip: label 'left eye': expected a label 'right eye'.*--no-flip"):
        mirrored_ids(LabelSet.from_names(["left eye", "nose"]))


def test_nothing_changes_where_nothing_is_to_change() -> None:
    image, mask = small_view(3)
    pixels, ids = Augmenter(Augmentation(32, **STILL), PLAIN)(image, mask, 1)
    assert np.array_equal(pixels.permute(1, 2, 0).numpy(), image) and np.array_equal(ids.numpy(), mask)
    assert type(pixels) is type(ids) is torch.Tensor and pixels.dtype == ids.dtype == torch.uint8


def test_a_mirrored_picture_has_mirrored_labels() -> None:
    image, mask = small_view(3)
    augmenter = Augmenter(Augmentation(32, scale=1.0, flip=True, color=0.0), np.array([0, 2, 1, *range(3, 256)], np.uint8))
    seen = set()
    for number in range(12):
        pixels, ids = augmenter(image, mask, number)
        if np.array_equal(pixels.permute(1, 2, 0).numpy(), image):
            assert np.array_equal(ids.numpy(), mask)
            seen.add("as it is")
        else:
            assert np.array_equal(pixels.permute(1, 2, 0).numpy(), image[:, ::-1])
            assert np.array_equal(ids.numpy(), np.array([0, 2, 1], np.uint8)[mask[:, ::-1]])
            seen.add("mirrored")
    assert seen == {"as it is", "mirrored"}


def test_pictures_of_any_shape_fit_the_square_and_the_rest_is_ignored() -> None:
    image, mask = small_view(3, 20, width_px=40)
    pixels, ids = Augmenter(Augmentation(32, **STILL), PLAIN)(image, mask, 1)
    assert pixels.shape == (3, 32, 32) and ids.shape == (32, 32)
    assert (ids == 255).sum() == 16 * 32 and set(ids.unique().tolist()) <= {0, 1, 2, 255}


def test_scale_changes_how_much_is_seen_and_ids_stay_whole() -> None:
    image, mask = small_view(3, 64)
    augmenter = Augmenter(Augmentation(32, scale=2.0, flip=False, color=0.0), PLAIN)
    shares = []
    for number in range(16):
        _, ids = augmenter(image, mask, number)
        assert set(ids.unique().tolist()) <= {0, 1, 2, 255}
        shares.append(float((ids == 255).float().mean()))
    assert min(shares) == 0 and max(shares) > 0.3


def test_colors_change_and_labels_do_not() -> None:
    image, mask = small_view(3)
    pixels, ids = Augmenter(Augmentation(32, scale=1.0, flip=False, color=1.0), PLAIN)(image, mask, 1)
    assert np.array_equal(ids.numpy(), mask) and not np.array_equal(pixels.permute(1, 2, 0).numpy(), image)


def test_a_number_tells_the_changes_and_torch_s_generator_is_left_alone() -> None:
    image, mask = small_view(3)
    augmenter = Augmenter(Augmentation(32), PLAIN)
    before = torch.random.get_rng_state()
    first, again, other = (augmenter(image, mask, number)[0] for number in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_inputs_are_normalised_as_imagenet_s() -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 3, 1, 1)
    found = normalized(images)[:, :, 0, 0]
    assert torch.allclose(found[0], -torch.tensor(MEAN) / torch.tensor(STD))
    assert torch.allclose(found[1], (1 - torch.tensor(MEAN)) / torch.tensor(STD))


def test_scaled_masks_lie_where_scaled_pictures_do() -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[21:45, 18:40] = 1
    picture = np.repeat(255 * truth[..., None], 3, axis=2)
    augmenter = Augmenter(Augmentation(64, scale=1.5, flip=False, color=0.0), PLAIN)
    shifts_px = []
    for number in range(60):
        image, mask = augmenter(picture, truth, number)
        weights = image[0].double() * (mask != IGNORE_ID), (mask == 1).double()
        inner = [(weight * torch.arange(64.0)).sum() / weight.sum() for weight in weights]
        shifts_px.append(float(inner[1] - inner[0]))
    assert abs(np.mean(shifts_px)) < 0.05, "half a pixel aside, as nearest neighbours by corners are, is a third of a wheel's rim"


def test_a_painted_mask_of_twice_the_size_comes_to_lie_where_its_picture_does() -> None:
    truth = np.zeros((64, 64), np.uint8)
    truth[20:44, 18:40] = 1  # whole pixels of half the size, so that both are exact
    picture = np.repeat(255 * truth[..., None], 3, axis=2)
    image, mask = Augmenter(Augmentation(32, scale=1.0, flip=False, color=0.0), PLAIN)(picture, truth, 0)
    assert np.array_equal(mask.numpy(), truth[::2, ::2]) and np.array_equal(mask.numpy() == 1, image[0].numpy() > 127)
    rows, columns = np.mgrid[:64, :64]
    truth = (np.hypot(rows - 31.5, columns - 31.5) < 20).astype(np.uint8)  # in the middle, and so must it be at half the size
    _, mask = Augmenter(Augmentation(32, scale=1.0, flip=False, color=0.0), PLAIN)(picture, truth, 0)
    assert np.array_equal(mask.numpy(), mask.numpy()[::-1]) and np.array_equal(mask.numpy(), mask.numpy()[:, ::-1])


@pytest.mark.parametrize("gray_share", [0.0, 0.7, 1.0])
def test_colors_are_those_of_torchvision_to_the_bit(gray_share: float) -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (40, 32, 3), dtype=np.uint8)
    gray = rng.random((40, 32)) < gray_share
    image[gray] = image[gray][:, :1]
    augmenter = Augmenter(Augmentation(40, color=1.0), PLAIN)
    jitter = augmenter._color
    assert jitter is not None
    pixels = torch.from_numpy(image).permute(2, 0, 1).contiguous()
    torch.manual_seed(0)
    for _ in range(20):
        drawn = jitter.make_params([])
        assert torch.equal(augmenter._colored(pixels, drawn), jitter.transform(pixels, drawn))


def test_every_gray_keeps_its_color_whatever_the_hue() -> None:
    augmenter = Augmenter(Augmentation(16), PLAIN)
    grays = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1).contiguous()
    for factor in np.linspace(-0.5, 0.5, 41):
        assert torch.equal(augmenter._functional.adjust_hue(grays, float(factor)), grays)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_a_view_that_has_been_fitted_is_changed_as_it_would_have_been(scale: float) -> None:
    rng = np.random.default_rng(2)
    image, mask = rng.integers(0, 256, (60, 48, 3), dtype=np.uint8), rng.integers(0, 5, (60, 48), dtype=np.uint8)
    augmenter = Augmenter(Augmentation(32, scale=scale), PLAIN)
    fitted = augmenter.fitted(image, mask)
    assert fitted[1].shape == ((32, 26) if scale == 1.0 else (60, 48))
    for number in range(5):
        for one, other in zip(augmenter(image, mask, number), augmenter(*fitted, number), strict=True):
            assert torch.equal(one, other)
