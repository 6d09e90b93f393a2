"""`dnerf-headless mesh`: each subject's surface as a closed mesh with labelled parts."""

from __future__ import annotations

import click

from headless.commands import blend_options, options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option_of
from headless.runs.mesh import FORMATS, MeshCall, mesh
from headless.work.reporting import Reporter


@click.command(
    "mesh",
    cls=GroupedCommand,
    epilog="\b\nExample:\n  dnerf-headless mesh --seeds 0-9 --faces 5000 --format glb,ply --output meshes",
)
@options.model_option
@options.subject_options(MeshCall)
@options.subject_file_option
@options.camera_options(MeshCall)
@blend_options.cameras_option
@options.cameras_up_option
@options.motion_options
@option_of(
    MeshCall,
    "rigged",
    help="Write each subject at rest with its skeleton, which moves it, and the motion of --pose as an animation (GLB alone).",
)
@options.truncation_option(MeshCall)
@options.resolution_option(MeshCall)
@options.formats_option(FORMATS, MeshCall.formats[0], f"Write these, any of {','.join(FORMATS)}.")
@option_of(MeshCall, "color")
@option_of(MeshCall, "nodes")
@option_of(MeshCall, "level", metavar="D")
@option_of(MeshCall, "faces", show_default="as many as the grid gives")
@option_of(MeshCall, "min_piece", metavar="SHARE")
@options.device_option
@options.workers_option(MeshCall)
@options.exact_option(MeshCall)
@options.extend_option(MeshCall)
@options.verify_option(MeshCall)
@options.output_option(MeshCall.output)
@options.dry_run_options(MeshCall)
@options.output_style_options
def command(as_json: bool, **values: object) -> None:
    """Write each subject's surface as a closed mesh with labelled parts.

    The surface is where the density passes a level (marching cubes). Views from all around give its vertices colours, labels by vote
    and a confidence; where no view looks, both run on along the surface. The same call again makes the meshes that are missing.
    """
    call = MeshCall(**values)  # type: ignore[arg-type]
    blend_options.refuse_arc_options(call.cameras)
    mesh(call, Reporter(as_json))
