"""The networks of points by their registered names, and one built from a network file's header or filled from the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnerf_core.downstream.network_file import NetworkFile, NetworkHeader
from dnerf_core.downstream.points.recipes import RECIPES, RecipeName
from dnerf_core.downstream.points.strangeness import Familiar
from dnerf_core.errors import CheckpointError, brief
from dnerf_core.labels import LabelSet

if TYPE_CHECKING:
    from torch import nn

DAMAGED = "the file is damaged or of another version; train it again"
MAX_POINTS = 65536
"""Points a cloud that a network is trained on, at most."""


def _pointnet(parts: int, paper: bool) -> nn.Module:
    from dnerf_core.downstream.points import pointnet

    return pointnet.PointNet(parts, pointnet.PAPER if paper else pointnet.SMALL)


def _pointnet2(parts: int, paper: bool) -> nn.Module:
    from dnerf_core.downstream.points import pointnet2

    return pointnet2.PointNet2(parts, pointnet2.PAPER if paper else pointnet2.SMALL)


BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "pointnet-small": lambda parts: _pointnet(parts, paper=False),
    "pointnet": lambda parts: _pointnet(parts, paper=True),
    "pointnet2-small": lambda parts: _pointnet2(parts, paper=False),
    "pointnet2": lambda parts: _pointnet2(parts, paper=True),
}
"""Networks by name: each takes the number of parts, the label set's without its background, and gives a module with `with_penalty`."""


@dataclass(frozen=True)
class PointSettings:
    """What a network of points needs beside its name and labels.

    Attributes:
        recipe: how it was trained, and how clouds are brought to it.
        points: of each cloud that it was trained on.
        familiar: what it made of those clouds, by which strange ones are told; None: nobody knows.
    """

    recipe: RecipeName
    points: int
    familiar: Familiar | None = None

    def to_json(self) -> dict[str, Any]:
        """As a network file's header has it."""
        known = {} if self.familiar is None else {"familiar": self.familiar.to_json()}
        return {"recipe": self.recipe, "points": self.points, **known}

    @classmethod
    def from_header(cls, header: NetworkHeader) -> PointSettings:
        """Those of a file.

        Raises:
            CheckpointError: values that are none.
        """
        recipe, points = header.settings.get("recipe"), header.settings.get("points")
        where = f"{header.path}: settings"
        if recipe not in RECIPES:
            raise CheckpointError(f"{where}: recipe: expected {' or '.join(RECIPES)}, found {brief(recipe)}; {DAMAGED}")
        if type(points) is not int or not 1 <= points <= MAX_POINTS:
            raise CheckpointError(
                f"{where}: points: expected a whole number from 1 to {MAX_POINTS}, found {brief(points)}; {DAMAGED}"
            )
        familiar = None
        if "familiar" in header.settings:
            familiar = Familiar.from_json(header.settings["familiar"])
            if familiar is None:
                found = brief(header.settings["familiar"])
                raise CheckpointError(
                    f"{where}: familiar: expected as many means as deviations above 0 of features, found {found}; {DAMAGED}"
                )
        return cls(recipe, points, familiar)


def built(network: str, labels: LabelSet, seed: int = 0) -> nn.Module:
    """A network by its name with fresh weights, which the seed decides; its output has a column for every label but the background.

    Args:
        network: among `BUILDERS`.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BUILDERS[network](labels.num_classes - 1)


def from_file(file: NetworkFile) -> nn.Module:
    """The network of a file, ready to predict.

    Raises:
        CheckpointError: a network that is not known, labels without parts, or tensors that are not the network's.
    """
    header = file.header
    if header.network not in BUILDERS:
        raise CheckpointError(
            f"{header.path}: network: expected one of {', '.join(BUILDERS)}, found {brief(header.network)}; {DAMAGED}"
        )
    if header.labels.num_classes < 2:
        raise CheckpointError(f"{header.path}: labels: expected a part beside the background, found none; {DAMAGED}")
    network = built(header.network, header.labels)
    file.fill(network)
    return network.eval()


def check_familiar(network: nn.Module, settings: PointSettings, header: NetworkHeader) -> None:
    """Hold the features that a file calls familiar against the network's.

    Raises:
        CheckpointError: they are more or fewer.
    """
    import torch

    if settings.familiar is None:
        return
    device = next(network.parameters()).device
    with torch.no_grad():
        features: torch.Tensor = network.cloud_features(torch.zeros(1, 16, 3, device=device))  # type: ignore[operator]
    found = len(settings.familiar.mean)
    if features.shape[1] != found:
        raise CheckpointError(
            f"{header.path}: settings: familiar: expected {features.shape[1]} features of {header.network}, found {found}; {DAMAGED}"
        )
