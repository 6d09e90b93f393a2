"""`dnerf-headless doctor`: what this machine can do, whether the installation is whole, and optionally a quick trial."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import DNeRFError, counted
from dnerf_core.work.cores import usable_cores
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option
from headless.work.machine import Finding, look_round
from headless.work.reporting import Reporter

_MARKS = {"ok": " ", "note": "-", "bad": "!"}


@click.command("doctor", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless doctor --self-test")
@options.device_option
@options.output_option(".", "Look whether results can be written to this folder, and how much space there is.")
@option("--self-test", is_flag=True, help="Also render one view of the embedded model and say how long it took.")
@options.output_style_options
@click.pass_context
def command(context: click.Context, device: str, output: Path, self_test: bool, as_json: bool) -> None:
    """Tell what this machine can do.

    Looks at Python, torch, CUDA devices, the CPU, memory, disk, packages and the embedded model. The last line is the
    verdict; the exit code is 1 where something is in the way.
    """
    reporter = Reporter(as_json)
    findings = [*look_round(output), _embedded_model()]
    if self_test and not any(finding.state == "bad" for finding in findings):
        findings.append(_self_test(device))
    for finding in findings:
        reporter.event("check", name=finding.name, value=finding.value, state=finding.state)
    wrong = [finding for finding in findings if finding.state == "bad"]
    verdict = "not ready: " + "; ".join(f"{finding.name}: {finding.value}" for finding in wrong) if wrong else _ready(findings)
    width = max(len(finding.name) for finding in findings)
    lines = [f"{_MARKS[finding.state]} {finding.name:<{width}}  {finding.value}" for finding in findings]
    reporter.summary([*lines, verdict], command="doctor", ready=not wrong, verdict=verdict)
    if wrong:
        context.exit(1)


def _ready(findings: list[Finding]) -> str:
    devices = [finding.value.split(",")[0] for finding in findings if finding.name.startswith("cuda:")]
    cpu = f"the CPU with {counted(usable_cores(), 'core')}"
    return f"ready: renders on {devices[0] if devices else cpu}"


def _embedded_model() -> Finding:

    try:
        facts = model_facts.describe_model("demo-cars")
    except DNeRFError as error:
        return Finding("demo-cars", str(error), "bad")
    return Finding("demo-cars", f"{facts.config.image_size} px, sha256 {facts.sha256[:16]}")


def _self_test(device: str) -> Finding:
    from dnerf_core.camera import arc_cameras
    from headless import models

    start = time.perf_counter()
    try:
        model = models.load_model("demo-cars", device)
        loaded = time.perf_counter()
        view = model.subject(0).render(arc_cameras(model.config.cameras, count=1)[0])
    except DNeRFError as error:
        return Finding("self-test", str(error), "bad")
    rendered = time.perf_counter()
    height, width = view.rgb.shape[:2]
    if not view.rgb.any() or view.rgb.min() == view.rgb.max():
        return Finding("self-test", f"the view of {width} x {height} px is one flat colour; reinstall datasetnerf", "bad")
    return Finding(
        "self-test", f"model in {loaded - start:.2f} s, first view of {width} x {height} px in {rendered - loaded:.2f} s"
    )
