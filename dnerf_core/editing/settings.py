"""What a call of an edit chooses, and the stages of its descent."""

from __future__ import annotations

from dataclasses import dataclass

from dnerf_core.errors import UsageError
from dnerf_core.inversion.settings import Stage


@dataclass(frozen=True)
class EditSettings:
    """What a call of an edit chooses.

    Attributes:
        label_weight, rgb_weight, perceptual_weight: the loss's l1, l2 and l3; the last one needs a network.
        keep_inside: L_rgb's weight of r's pixels that lie further than `margin_px` from what was repainted; 0: the paper's loss.
        edited_weight: how much more a repainted pixel counts than another one in L_label: there are few of them.
        prior: weight of the distance from the subject as it was, in standard deviations of w.
        margin_px: how far r reaches beyond its labels, pixels of the full picture.
        steps: of the optimiser.
        statistics_seed: of the latents that w's statistics are measured on.
    """

    label_weight: float = 1.0
    rgb_weight: float = 10.0
    perceptual_weight: float = 0.0
    keep_inside: float = 0.5
    edited_weight: float = 10.0
    prior: float = 3e-3
    margin_px: int = 4
    steps: int = 80
    statistics_seed: int = 0

    def check(self) -> None:
        """Refuse settings that say nothing useful.

        Raises:
            UsageError: one that is out of range.
        """
        if min(self.label_weight, self.rgb_weight, self.perceptual_weight, self.keep_inside, self.prior) < 0:
            raise UsageError("edit: expected weights of at least 0, found a negative one; choose another")
        if self.label_weight == 0:
            raise UsageError("edit: expected a weight of the labels above 0, found 0: nothing would change; choose another")
        for name, low in (("edited_weight", 1), ("margin_px", 0), ("steps", 2)):
            if getattr(self, name) < low:
                raise UsageError(f"edit: {name}: expected at least {low}, found {getattr(self, name)}; choose another")


def edit_stages(settings: EditSettings, neural_px: int) -> tuple[Stage, ...]:
    """A coarse stage, then one at full size."""
    coarse = settings.steps * 2 // 3
    return (
        Stage(min(64, neural_px), False, coarse, 1, "w+", 0.05, 0.0),
        Stage(neural_px, True, settings.steps - coarse, 1, "w+", 0.03, 0.0),
    )
