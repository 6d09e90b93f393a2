"""What a semantic branch is made of and how it is trained, as data. Nothing here imports torch.

JSON in and out by `backbone.config_json.config_to_json` and `config_from_json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dnerf_core.errors import UsageError

if TYPE_CHECKING:
    from dnerf_core.backbone.specs import BackboneConfig

FeatureKind = Literal["features", "planes"]
RefinerKind = Literal["light", "bilinear"]
GuideKind = Literal["none", "rendered", "rgb"]
ClassBalance = Literal["none", "sqrt", "full"]


@dataclass(frozen=True)
class RefinerConfig:
    """The semantic super-resolution U_s (paper section 3.2, equation 1).

    Attributes:
        kind: "light", a few convolutions beside a bilinear residual; "bilinear", the raw map enlarged and nothing learned.
        widths: channels of the first convolution and of all later ones.
        guide: what it sees besides the raw map and its features: "none" (the paper's equation 1), "rendered" (the RGB branch's
            32 rendered features, raw size) or "rgb" (the final image, full size).
    """

    kind: RefinerKind = "light"
    widths: tuple[int, int] = (32, 16)
    guide: GuideKind = "none"


@dataclass(frozen=True)
class SemanticConfig:
    """Everything that decides what function a semantic branch's weights are.

    Attributes:
        num_classes: with background, which is class 0.
        feature_kind: "features" reads each block's hidden channels, each plane with its own linear view of them; "planes" reads each
            block's plane output, `plane_channels` a plane, one linear view for all planes.
        scales: resolutions of the synthesis blocks that are read; None: all (the paper's); the last one alone is the ablation
            "no multi-scale".
        density_prior: composite with the RGB branch's density (the paper's); else the branch has a density of its own.
        hidden_dim, feature_dim: widths of the decoder's hidden layer and of the semantic feature.
        weight_epsilon: the decoder runs where a sample's weight exceeds this.
        density_samples: samples a ray when the branch has its own density.
        refiner: the semantic super-resolution.
    """

    num_classes: int = 5
    feature_kind: FeatureKind = "features"
    scales: tuple[int, ...] | None = None
    density_prior: bool = True
    hidden_dim: int = 64
    feature_dim: int = 32
    weight_epsilon: float = 5e-3
    density_samples: int = 32
    refiner: RefinerConfig = field(default_factory=RefinerConfig)


@dataclass(frozen=True)
class BranchTrainingConfig:
    """How a branch is trained.

    Attributes:
        steps: optimiser steps.
        views_per_step: labelled views a step.
        learning_rate: Adam's, on equalised weights; falls to 0 along a cosine.
        class_balance: weight of a class in the loss: the same for all, 1 / sqrt(its share of pixels), or 1 / share. Rare parts are learned
            sooner by it; what is learned does not favour them, see `training.log_weights`.
        seed: of the first weights and of the order of views.
        statistics_subjects: subjects that the input normalisation is measured on.
        patch: rays a side of the random square of each view that a step sees; None: the whole view.
        checkpoint_every: steps between two states given to the checkpoint callback.
    """

    steps: int = 600
    views_per_step: int = 2
    learning_rate: float = 1e-2
    class_balance: ClassBalance = "sqrt"
    seed: int = 0
    statistics_subjects: int = 8
    patch: int | None = None
    checkpoint_every: int = 100


def check_patch(patch: int, generator: BackboneConfig) -> None:
    """Refuse a side of patches, in rays, that is no part of a generator's views.

    Raises:
        UsageError: it is larger, or covers no whole number of pixels.
    """
    rays, pixels = generator.rays.neural_resolution, generator.image_size
    if patch > rays or patch * pixels % rays:
        raise UsageError(
            f"--patch: expected at most the {rays} rays a side of the model's views, and a whole number of their {pixels} pixels, "
            f"found {patch}; take half of the rays, or a quarter"
        )
