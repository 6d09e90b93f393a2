"""torchvision, imported at this one place: `torchvision()` gives the package with its networks and transforms.

The CPU build of torch with torchvision from PyPI, which is the CUDA build, is a usual pair: the latter's compiled operators cannot be
loaded then, which torchvision lets pass. But it goes on to register what `nms` and `qnms` return for shapes alone, and torch refuses
that for operators that nobody declared: "operator torchvision::nms does not exist". No segmenter calls either, so their schemas are
declared here before, where the library that would declare them cannot be loaded.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
from types import ModuleType
from typing import TYPE_CHECKING

from dnerf_core.errors import UsageError

if TYPE_CHECKING:
    import torch

REMEDY = "install it with pip install 'datasetnerf[downstream]'"

_NAMESPACE = "torchvision"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")

_declared: list[torch.library.Library] = []
"""A declaration lasts as long as its library."""


@functools.cache
def torchvision() -> ModuleType:
    """The package, with `models.segmentation` and `transforms.v2` imported.

    Raises:
        UsageError: it is not installed, or does not go with this torch.
    """
    require_installed()
    import torch

    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    try:
        if not _operators_load(spec):
            _declare_missing()
        import torchvision as package
        import torchvision.models.segmentation
        import torchvision.transforms.v2
    except (ImportError, OSError, RuntimeError) as error:
        raise UsageError(
            f"torchvision: expected one that goes with torch {torch.__version__}, found one that it cannot import "
            f"({' '.join(str(error).split())}); {REMEDY}"
        ) from error
    module: ModuleType = package
    return module


def require_installed() -> None:
    """Refuse a machine without torchvision, without importing it or torch.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("torchvision") is None:
        raise UsageError(f"torchvision: expected the package, found none installed; {REMEDY}")


def _operators_load(spec: importlib.machinery.ModuleSpec) -> bool:
    """Whether the package's compiled operators, which declare their schemas themselves, can be loaded."""
    import torch

    library = importlib.machinery.PathFinder.find_spec("_C", list(spec.submodule_search_locations or []))
    if library is None or library.origin is None:
        return False
    try:
        torch.ops.load_library(library.origin)
    except OSError:  # a library that it needs is not there, or has other symbols
        return False
    return True


def _declare_missing() -> None:
    import torch

    for name in _OPERATORS:
        if not hasattr(getattr(torch.ops, _NAMESPACE), name):
            library = torch.library.Library(_NAMESPACE, "FRAGMENT")
            library.define(f"{name}{_SCHEMA}")
            _declared.append(library)
