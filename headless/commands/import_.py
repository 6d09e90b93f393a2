"""`dnerf-headless import`: a published checkpoint becomes a model file; nothing of the checkpoint is executed."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dnerf_core.errors import OutputError
from headless import options
from headless.reporting import Reporter
from headless.writers.files import check_model_place, output_error


@click.command("import", epilog="\b\nExample:\n  dnerf-headless import ffhqrebalanced512-128.pkl -o ffhq.safetensors")
@click.argument("release", type=options.FilledPath(exists=True, dir_okay=False), metavar="X.pkl")
@click.option(
    "--output",
    "-o",
    type=options.FilledPath(),
    metavar="X.safetensors",
    help="The model file to write.  [default: the same name in the current folder]",
)
@options.output_style_options
def command(release: Path, output: Path | None, as_json: bool) -> None:
    """Turn a published EG3D checkpoint into a model file.

    The pickle is read without executing anything of it. The licence of the weights stays the one they were published under.
    """
    reporter = Reporter(as_json)
    target = Path(release.name).with_suffix(".safetensors") if output is None else output
    try:
        taken = target.exists()
    except OSError as error:
        raise output_error(target, error) from error
    if taken:
        raise OutputError(f"{target}: expected a new file, it is there already; remove it, or choose another --output")
    reporter.start(f"import: {release} becomes {target}", command="import", release=str(release), output=str(target))
    started = time.monotonic()
    check_model_place(target)
    from dnerf_core.checkpoints.eg3d_release import import_release
    from headless import models

    import_release(release, target)
    facts = models.describe_model(str(target))
    seconds = time.monotonic() - started
    for remark in facts.source.get("remarks", []):
        reporter.warning(f"{release}: {remark}")
    size_mb = target.stat().st_size / 1e6
    reporter.summary(
        [
            f"{target}: {facts.config.name}, {facts.config.image_size} px, {size_mb:.0f} MB, in {seconds:.1f} s",
            f"next: dnerf-headless render --model {target}",
        ],
        command="import",
        output=str(target),
        name=facts.config.name,
        image_size=facts.config.image_size,
        sha256=facts.sha256,
        seconds=round(seconds, 3),
    )
