"""DatasetNeRF's engine: a frozen EG3D generator plus a semantic branch, from latent to labelled, posed, 3D-consistent views.

    from dnerf_core import Model, arc_cameras

    model = Model.load("demo-cars")
    subject = model.subject(seed=3)
    for camera in arc_cameras(model.config.cameras, (-30, 30), count=5):
        view = subject.render(camera)  # view.rgb, view.mask, view.depth_planar, view.camera

What a program needs stands here by name; docs/python.md has whole programs. A name's module is imported when the name is first used
(PEP 562), so importing this package loads neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # relative, because the extension carries this module under a package name of Blender's choosing
    from .camera import Camera, arc_cameras, cameras_from_json, cameras_to_json, orbit_cameras, sphere_camera
    from .datasets.labeled_views import LabeledViews
    from .errors import AnnotationError, CheckpointError, DNeRFError, OutputError, PhotoError, UsageError
    from .files.camera_files.registry import read_cameras
    from .inversion.invert import Inversion, invert
    from .inversion.settings import InversionSettings
    from .labels import Label, LabelSet
    from .mesh.mesh import Mesh
    from .mesh.options import MeshOptions
    from .model import Model
    from .pointcloud.cloud import PointCloud
    from .pointcloud.fusion import FusionOptions, fuse_views
    from .rendering.labeled_view import LabeledView
    from .semantic.config import BranchTrainingConfig, SemanticConfig
    from .semantic.kept_views import AnnotatedView
    from .semantic.training import train_branch
    from .subject import Subject
    from .work.torch_start import prepare_torch

__version__ = "0.1.0"

__all__ = [
    "AnnotatedView",
    "AnnotationError",
    "BranchTrainingConfig",
    "Camera",
    "CheckpointError",
    "DNeRFError",
    "FusionOptions",
    "Inversion",
    "InversionSettings",
    "Label",
    "LabelSet",
    "LabeledView",
    "LabeledViews",
    "Mesh",
    "MeshOptions",
    "Model",
    "OutputError",
    "PhotoError",
    "PointCloud",
    "SemanticConfig",
    "Subject",
    "UsageError",
    "arc_cameras",
    "cameras_from_json",
    "cameras_to_json",
    "fuse_views",
    "invert",
    "orbit_cameras",
    "prepare_torch",
    "read_cameras",
    "sphere_camera",
    "train_branch",
]

_NAMES = {
    "camera": ("Camera", "arc_cameras", "cameras_from_json", "cameras_to_json", "orbit_cameras", "sphere_camera"),
    "datasets.labeled_views": ("LabeledViews",),
    "errors": ("AnnotationError", "CheckpointError", "DNeRFError", "OutputError", "PhotoError", "UsageError"),
    "files.camera_files.registry": ("read_cameras",),
    "inversion.invert": ("Inversion", "invert"),
    "inversion.settings": ("InversionSettings",),
    "labels": ("Label", "LabelSet"),
    "mesh.mesh": ("Mesh",),
    "mesh.options": ("MeshOptions",),
    "model": ("Model",),
    "pointcloud.cloud": ("PointCloud",),
    "pointcloud.fusion": ("FusionOptions", "fuse_views"),
    "rendering.labeled_view": ("LabeledView",),
    "semantic.config": ("BranchTrainingConfig", "SemanticConfig"),
    "semantic.kept_views": ("AnnotatedView",),
    "semantic.training": ("train_branch",),
    "subject": ("Subject",),
    "work.torch_start": ("prepare_torch",),
}
_PLACES = {name: place for place, names in _NAMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker would take any name for one of these

    def __getattr__(name: str) -> Any:
        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f".{place}", __name__), name)
        except ImportError as error:  # inside Blender, which carries only the modules that need no torch
            raise ImportError(
                f"{__name__}.{name}: expected the whole engine, found: {error}; install datasetnerf, with torch"
            ) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
