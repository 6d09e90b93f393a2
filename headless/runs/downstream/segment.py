"""Anyone's pictures, videos, clouds and meshes labelled by a trained network: the run."""

from __future__ import annotations

import time
from typing import Any

from dnerf_core.errors import counted, listed
from dnerf_core.files.names import LABELS_NAME, SHEET_NAME
from headless.downstream.segmenting.plan import SegmentCall, plan_segments
from headless.work.reporting import Quiet, Reporter
from headless.work.result_folder import ResultFolder

_LISTED = 3


def segment(call: SegmentCall, reporter: Reporter | None = None) -> None:
    """Run one call of `segment`.

    Args:
        reporter: hears how it gets on; None: nobody does, but warnings are given to Python's `warnings`.

    Raises:
        DNeRFError: a wrong call, a file that cannot be read, or results that cannot be written.
    """
    reporter = reporter or Quiet()
    started = time.monotonic()
    plan = plan_segments(call)
    for remark in plan.remarks:
        reporter.warning(remark)
    # these bring torch, which a call that is refused need not wait for
    from headless.downstream.segmenting.job import LIST_NAME, RECORD_FORMAT, SegmentJob

    folder = ResultFolder(call.output, RECORD_FORMAT, "segment", plan.to_json(), [LABELS_NAME, SHEET_NAME, LIST_NAME])
    folder.check()
    with folder.in_use(reporter):
        job = SegmentJob(plan, folder, reporter)
        count, missing = len(plan.items), len(job.missing)
        fields: dict[str, Any] = {"command": "segment", "output": str(call.output), "files": count}
        reporter.start(
            f"segment: {counted(count, 'file')} by {call.network}, {missing} of them to be labelled",
            **fields,
            files_missing=missing,
            plan=plan.to_json(),
        )
        found = job.write()
    poor = [facts.name for facts in found if job.is_poor(facts)]
    mean = sum(facts.confidence for facts in found) / len(found)
    seconds = time.monotonic() - started
    done = f"{missing} labelled in {seconds:.1f} s" if missing else "nothing to do, all there"
    reporter.summary(
        [
            f"{call.output}: {counted(count, 'file')} by {call.network}: {done}",
            f"mean confidence {mean:.2f}" + (f"; unsure of {listed(poor, _LISTED)}" if poor else ""),
            f"look at {call.output / SHEET_NAME}",
        ],
        **fields,
        files_labelled=missing,
        confidence=round(mean, 6),
        unsure=poor,
        nothing_to_do=not missing,
        contact_sheet=str(call.output / SHEET_NAME),
        seconds=round(seconds, 3),
    )
