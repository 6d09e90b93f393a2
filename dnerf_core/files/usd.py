"""Clouds and meshes as USD, by the package usd-core (Pixar's own): the ids as integer `primvars:_LABEL`, which USD keeps as they are.

Files are binary ("crate"), whole scenes with one object below `/World`, its up axis told; units are the world's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerf_core.files.clouds import CloudArrays, CloudColor, CloudStyle, distinct, linear_from_srgb, shown_colors
from dnerf_core.files.mesh_arrays import MeshArrays
from dnerf_core.mesh.options import needed

_NAME = "/World/object"


def check_usd() -> None:
    """Make sure, before any work, that USD can be written.

    Raises:
        UsageError: usd-core is missing.
    """
    needed("pxr.UsdGeom", "usd-core", "usd")


def cloud_usd_bytes(cloud: CloudArrays, style: CloudStyle) -> bytes:
    """`Points` with normals, colours, widths of 1/400 of the longest side, and with labels `primvars:_LABEL` and `_CONFIDENCE`.

    Raises:
        UsageError: usd-core is missing.
    """
    stage, geom = _stage(style.world_up), needed("pxr.UsdGeom", "usd-core", "usd")
    points = geom.Points.Define(stage, _NAME)
    places = _vectors(cloud.points)
    points.CreatePointsAttr(places)
    points.CreateNormalsAttr(_vectors(cloud.normals))
    points.SetNormalsInterpolation(geom.Tokens.vertex)
    width = float(np.ptp(cloud.points, axis=0).max()) / 400 if len(cloud) else 0.0
    points.CreateWidthsAttr([width])
    points.SetWidthsInterpolation(geom.Tokens.constant)
    points.CreateExtentAttr(geom.Points.ComputeExtent(places, points.GetWidthsAttr().Get()))
    _colored(points, shown_colors(cloud, style))
    if cloud.labels is not None and cloud.confidence is not None:
        _labelled(points, cloud.labels, cloud.confidence)
        _named(points, [] if style.labels is None else list(style.labels.names))
    return _bytes(stage)


def mesh_usd_bytes(mesh: MeshArrays, color: CloudColor) -> bytes:
    """`Mesh` with normals and colours, and with labels `primvars:_LABEL` and `_CONFIDENCE`; each part a `GeomSubset` bound to its material.

    The materials (`UsdPreviewSurface`) have the labels' colours, or read the vertices' `displayColor`, which has the pictures'.

    Raises:
        UsageError: usd-core is missing.
    """
    stage, geom = _stage(mesh.world_up), needed("pxr.UsdGeom", "usd-core", "usd")
    vt, tf = needed("pxr.Vt", "usd-core", "usd"), needed("pxr.Tf", "usd-core", "usd")
    parts = mesh.parts()
    words = distinct([(label, tf.MakeValidIdentifier(name)) for label, name, _, _ in parts])
    shape = geom.Mesh.Define(stage, _NAME)
    places = _vectors(mesh.vertices)
    shape.CreatePointsAttr(places)
    shape.CreateFaceVertexCountsAttr(vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    shape.CreateFaceVertexIndicesAttr(vt.IntArray.FromNumpy(np.ascontiguousarray(mesh.faces.reshape(-1))))
    shape.CreateNormalsAttr(_vectors(mesh.normals))
    shape.SetNormalsInterpolation(geom.Tokens.vertex)
    shape.CreateSubdivisionSchemeAttr(geom.Tokens.none)
    shape.CreateExtentAttr(geom.PointBased.ComputeExtent(places))
    _colored(shape, mesh.shown_colors(color))
    if mesh.labels is not None and mesh.confidence is not None:
        _labelled(shape, mesh.labels, mesh.confidence)
        _named(shape, [] if mesh.label_set is None else list(mesh.label_set.names))
    for word, (label, _, rgb, chosen) in zip(words, parts, strict=True):
        faces = vt.IntArray.FromNumpy(chosen.astype(np.int32))
        subset = geom.Subset.CreateGeomSubset(shape, word, geom.Tokens.face, faces, "materialBind")
        subset.GetPrim().SetCustomDataByKey("label", label)
        _bind(stage, subset, word, rgb if color == "label" else None)
    return _bytes(stage)


def _stage(world_up: str) -> Any:
    usd, geom = needed("pxr.Usd", "usd-core", "usd"), needed("pxr.UsdGeom", "usd-core", "usd")
    stage = usd.Stage.CreateInMemory()
    geom.SetStageUpAxis(stage, geom.Tokens.z if world_up == "z" else geom.Tokens.y)
    geom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(geom.Xform.Define(stage, "/World").GetPrim())
    return stage


def _vectors(values: NDArray[np.float32]) -> Any:
    vt = needed("pxr.Vt", "usd-core", "usd")
    return vt.Vec3fArray.FromNumpy(np.ascontiguousarray(values, np.float32))


def _colored(shape: Any, srgb: NDArray[np.uint8]) -> None:
    """`displayColor` a point, linear as USD has it."""
    geom = needed("pxr.UsdGeom", "usd-core", "usd")
    shape.CreateDisplayColorPrimvar(geom.Tokens.vertex).Set(_vectors(linear_from_srgb(srgb).astype(np.float32)))


def _labelled(shape: Any, labels: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
    geom, sdf, vt = (needed(f"pxr.{name}", "usd-core", "usd") for name in ("UsdGeom", "Sdf", "Vt"))
    primvars = geom.PrimvarsAPI(shape)
    ids = primvars.CreatePrimvar("_LABEL", sdf.ValueTypeNames.IntArray, geom.Tokens.vertex)
    ids.Set(vt.IntArray.FromNumpy(labels.astype(np.int32)))
    shares = primvars.CreatePrimvar("_CONFIDENCE", sdf.ValueTypeNames.FloatArray, geom.Tokens.vertex)
    shares.Set(vt.FloatArray.FromNumpy(np.ascontiguousarray(confidence, np.float32)))


def _named(shape: Any, names: list[str]) -> None:
    """What the ids mean, by their order."""
    vt = needed("pxr.Vt", "usd-core", "usd")
    shape.GetPrim().SetCustomDataByKey("labels", vt.StringArray(names))


def _bind(stage: Any, subset: Any, name: str, rgb: tuple[int, int, int] | None) -> None:
    """A material of one colour (None: the points' own) for a subset of the faces."""
    shade, sdf = needed("pxr.UsdShade", "usd-core", "usd"), needed("pxr.Sdf", "usd-core", "usd")
    path = f"/World/materials/{name}"
    material = shade.Material.Define(stage, path)
    surface = shade.Shader.Define(stage, f"{path}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", sdf.ValueTypeNames.Float).Set(0.9)
    diffuse = surface.CreateInput("diffuseColor", sdf.ValueTypeNames.Color3f)
    if rgb is None:
        reader = shade.Shader.Define(stage, f"{path}/color")
        reader.CreateIdAttr("UsdPrimvarReader_float3")
        reader.CreateInput("varname", sdf.ValueTypeNames.String).Set("displayColor")
        diffuse.ConnectToSource(reader.CreateOutput("result", sdf.ValueTypeNames.Float3))
    else:
        diffuse.Set(tuple(linear_from_srgb(np.array(rgb, np.uint8)).tolist()))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", sdf.ValueTypeNames.Token))
    shade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(material)


def _bytes(stage: Any) -> bytes:
    """The stage as a file has it; usd-core writes files alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.usdc"
        stage.GetRootLayer().Export(str(path))
        return path.read_bytes()
