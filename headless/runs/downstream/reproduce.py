"""The paper's experiments: the run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core import __version__
from dnerf_core.errors import UsageError, counted, did_you_mean
from dnerf_core.files.whole import make_folder, write_bytes_whole
from headless.reproducing.cache import Cache
from headless.reproducing.call import ALL, ReproduceCall
from headless.reproducing.costs import cost_of
from headless.reproducing.experiments.experiment import Experiment, chosen
from headless.reproducing.experiments.registry import EXPERIMENTS
from headless.reproducing.setting import Setting, make_setting
from headless.reproducing.steps import Row, Step, in_order
from headless.work.at_work import at_work, call_digest
from headless.work.reporting import Quiet, Reporter

if TYPE_CHECKING:
    from headless.reproducing.scales import Scale
    from headless.reproducing.writing.report import Section, Table

CACHE_NAME = "cache"
Planned = list[tuple[Experiment, list[Row], list[str]]]


def reproduce(call: ReproduceCall, reporter: Reporter | None = None, scale: Scale | None = None) -> None:
    """Run one call of `reproduce`: make the steps that are missing, and write the report.

    Args:
        reporter: hears how it gets on; None: nobody does, but warnings are given to Python's `warnings`.
        scale: sizes of a program's own, instead of the scale that the call names.

    Raises:
        DNeRFError: a wrong call, a model or folder that cannot be used, or results that cannot be written.
    """
    reporter, started = reporter or Quiet(), time.monotonic()
    setting = make_setting(call, scale)
    planned = plan_rows(setting)
    steps = in_order(row for _, rows, _ in planned for row in rows)
    cache = Cache(call.output / CACHE_NAME, call.device)
    missing = [step for step in steps if cache.record(step) is None]
    shares = _shares(call.device)
    cost = cost_of(steps, missing, cache.measured(), shares[0])
    fields = {"command": "reproduce", "output": str(call.output), "experiment": call.experiment, "scale": call.scale}
    cost_fields = {"steps": cost.steps, "steps_missing": cost.missing, "estimated_seconds": round(cost.seconds_ahead)}
    line = f"reproduce {call.experiment}: {cost.line()}"
    reporter.start(line, **fields, **cost_fields)
    if call.dry_run:
        titles = [f"{'make' if step in missing else 'there'}: {step.title}" for step in steps]
        reporter.summary([*titles, line], **fields, **cost_fields, dry_run=True)
        return
    for _, _, remarks in planned:
        for remark in remarks:
            reporter.warning(remark)
    make_folder(call.output)
    # steps are found by their keys alone, so that two calls into one folder would make the same one twice
    with at_work(call.output, call_digest("reproduce"), reporter.warning):
        _make(missing, cache, reporter, len(steps), shares)
        sections, data = _write(setting, planned, cache)
    page = call.output / f"{call.experiment}.html"
    reporter.summary(
        [
            *(line for section in sections for line in _section_lines(section)),
            f"{page}: {counted(sum(len(rows) for _, rows, _ in planned), 'row')}, {cost.missing} of {cost.steps} steps made",
            f"look at {page} or {page.with_suffix('.md')}",
        ],
        **fields,
        **cost_fields,
        results=data,
        nothing_to_do=not missing,
        seconds=round(time.monotonic() - started, 3),
    )


def plan_rows(setting: Setting) -> Planned:
    """The experiments of a call with their rows and what is to be said of those that are left out.

    Raises:
        UsageError: a test folder that would have to serve several experiments, or rows that none has.
    """
    call = setting.call
    if call.experiment not in (*EXPERIMENTS, ALL):
        raise UsageError(
            f"experiment: expected {', '.join(EXPERIMENTS)} or {ALL}, found {call.experiment!r}"
            f"{did_you_mean(call.experiment, EXPERIMENTS)}; name one of them"
        )
    experiments = list(EXPERIMENTS.values()) if call.experiment == ALL else [EXPERIMENTS[call.experiment]]
    if setting.test is not None and call.experiment == ALL:
        raise UsageError(
            f"--test {setting.test.value}: expected one experiment, found all, which need pictures and clouds; name one, such as table1"
        )
    known = {name for entry in experiments for name in entry.row_names}
    strange = [name for name in call.only or () if name not in known]
    if strange:
        raise UsageError(
            f"--only {','.join(strange)}: expected rows of {call.experiment} ({', '.join(sorted(known))}), found another; leave it out"
        )
    planned = []
    for entry in experiments:
        rows, remarks = entry.rows(setting)
        kept = chosen(rows, call.only)
        if kept:
            # a remark that begins with the name of a row is of that row
            of_others = {name for name in entry.row_names if call.only is not None and name not in call.only}
            planned.append((entry, kept, [remark for remark in remarks if remark.split(maxsplit=1)[0] not in of_others]))
    if not planned:
        raise UsageError(
            f"--only {','.join(call.only or ())}: expected rows that can be made here, found none: "
            f"{'; '.join(remark for entry in experiments for remark in entry.rows(setting)[1])}"
        )
    return planned


def _make(missing: list[Step], cache: Cache, reporter: Reporter, total: int, shares: tuple[int, int]) -> None:
    number = total - len(missing)
    with reporter.progress("steps", len(missing)) as advance:
        for step, seconds, warnings in cache.make(missing, *shares):
            number += 1
            for warning in warnings:
                reporter.warning(f"{step.title}: {warning}")
            reporter.event("step", number=number, step=step.kind, title=step.title, key=step.key, seconds=seconds)
            advance()


def _shares(device: str) -> tuple[int, int]:
    """How many steps are made at once, and how many threads each has: on a CPU a core each, on a GPU one after the other."""
    import torch

    from dnerf_core.work.cores import usable_cores
    from headless.work.workers import default_workers

    if device != "cpu" and torch.cuda.is_available():
        return 1, usable_cores()
    return default_workers(), max(1, usable_cores() // default_workers())


def _write(setting: Setting, planned: Planned, cache: Cache) -> tuple[list[Section], list[dict[str, Any]]]:
    """Write the report; its experiments' sections, and their numbers as JSON values."""
    from headless.reproducing.results import rows_json, section_of, section_of_commands
    from headless.reproducing.writing.html_page import html_page
    from headless.reproducing.writing.markdown import markdown
    from headless.reproducing.writing.report import Report

    call = setting.call
    sections = [section_of(entry, setting, rows, remarks, cache) for entry, rows, remarks in planned]
    commands = section_of_commands((row for _, rows, _ in planned for row in rows), cache)
    report = Report(f"DatasetNeRF: {call.experiment}, {call.scale}", _facts(setting), [*sections, commands])
    text, files = markdown(report, call.experiment)
    data = [rows_json(entry, setting, rows, cache) for entry, rows, _ in planned]
    outputs: dict[str, bytes] = {
        **files,
        f"{call.experiment}.md": text.encode(),
        f"{call.experiment}.html": html_page(report).encode(),
        f"{call.experiment}.json": json.dumps({"facts": dict(report.facts), "experiments": data}, indent=1).encode(),
    }
    for name, content in outputs.items():
        write_bytes_whole(call.output / name, content)
    return sections, data


def _facts(setting: Setting) -> list[tuple[str, str]]:
    import torch

    from dnerf_core.work.cores import usable_cores

    call, scale = setting.call, setting.scale
    device = call.device if torch.cuda.is_available() else "cpu"
    facts = [
        ("command", _command(call)),
        ("version", f"datasetnerf {__version__}, torch {torch.__version__}"),
        ("machine", f"{device}, {counted(usable_cores(), 'core')}"),
        ("model", f"{Path(str(setting.model.value)).name}, sha256 {setting.model.sha256[:16]}"),
        ("seeds", ", ".join(map(str, range(setting.repetitions)))),
        ("labels", ", ".join(map(str, setting.counts))),
        ("segmenter", f"{scale.segmenter}, {scale.segmenter_steps} steps of {scale.batch} at {scale.size_px} px"),
        ("network of points", f"{scale.point_network}, {scale.cloud_steps} steps"),
    ]
    return facts


def _command(call: ReproduceCall) -> str:
    from headless.reproducing.command_lines import command_line

    return command_line("reproduce", call)


def _section_lines(section: Section) -> list[str]:
    """An experiment for a terminal: its tables, and what appears in them."""
    lines = [line for table in section.tables for line in (section.title, *_lines(table), "")]
    return [*lines, *section.findings, ""] if section.findings else lines


def _lines(table: Table) -> list[str]:
    """A table for a terminal."""
    rows = [table.head, *table.rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(table.head))]
    return [
        "  ".join(
            cell.ljust(width) if index < table.words else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
