"""`dnerf-headless bench`: what the fast path gains over the literal method on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dnerf_core.errors import UsageError, counted, did_you_mean
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from headless.bench.busy import BusyMeasured, ViewTimes
    from headless.bench.claims import Measured

ROUNDS = 3
MAX_BUSY = 256
QUIET_CORES = 0.1
"""Others may take so much of a machine that is called quiet."""

HEAD = (
    f"{'claim':17s} {'baseline':8s} {'baseline s':>10s} {'fast s':>8s} {'times':>7s} "
    f"{'labels':>8s} {'dB':>6s} {'depth':>8s} {'peak MB':>8s}"
)
BUSY_HEAD = f"{'machine':10s} {'median s':>9s} {'times':>7s} {'slowest s':>10s} {'times':>7s}"


@click.command("bench", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless bench --quick --json")
@options.device_option
@option("--quick", is_flag=True, help="Measure one round instead of three.")
@option("--claim", "names", multiple=True, metavar="NAME", help="Measure only this claim; may be given several times.")
@option(
    "--busy",
    type=click.IntRange(1, MAX_BUSY),
    metavar="N",
    help="Measure instead what N other processes at work cost a view of the demo.",
)
@options.output_style_options
def command(device: str, quick: bool, names: tuple[str, ...], busy: int | None, as_json: bool) -> None:
    """Measure the fast path against the literal method on this machine.

    A line a claim: seconds a view of both, the ratio, the share of equal labels, the image's PSNR, the median depth
    difference as a share of the box, and the fast path's peak memory. Full-size claims use weights from a formula, so no
    download is needed. Where the baseline is `exact`, it is what `--exact` renders: the literal method's numbers, in less time.
    With --busy: the median and the slowest of 100 labelled views, on the quiet machine and on the busy one.
    The last line says what it ran on.
    """
    if busy is None:
        bench(device, ROUNDS if not quick else 1, names, Reporter(as_json))
    elif quick or names:
        raise UsageError(f"--busy: expected alone, found {'--quick' if quick else '--claim'}; call them one after the other")
    else:
        bench_busy(device, busy, Reporter(as_json))


def bench(device: str, rounds: int, names: tuple[str, ...], reporter: Reporter) -> None:
    """Run one call of `bench`.

    Raises:
        UsageError: a claim that is not there.
    """
    from headless.bench.claims import CLAIMS, measure
    from headless.bench.models import bench_model
    from headless.bench.ran_on import RanOn
    from headless.models import pick_device

    place = pick_device(device)
    known = [claim.name for claim in CLAIMS]
    strange = [name for name in names if name not in known]
    if strange:
        raise UsageError(
            f"--claim {strange[0]}: expected one of {', '.join(known)}{did_you_mean(strange[0], known)}; name one of these"
        )
    chosen = [claim for claim in CLAIMS if not names or claim.name in names]
    models: dict[str, Any] = {}
    results: list[Measured] = []
    reporter.start(
        f"bench: {rounds} rounds of {len(chosen)} claims on {place}",
        command="bench",
        output=None,
        rounds=rounds,
        claims=[claim.name for claim in chosen],
        device=place,
        machine=(ran_on := RanOn.here(place)).to_json(),
    )
    with reporter.progress("measuring", 2 * rounds * len(chosen)) as advance:
        for claim in chosen:
            if claim.model not in models:
                models.clear()  # one at a time in memory
                models[claim.model] = bench_model(claim.model, place)
            measured = measure(claim, models[claim.model], rounds, advance)
            results.append(measured)
            reporter.event("claim", **_fields(measured))
    reporter.summary(
        [HEAD, *(_row(measured) for measured in results), ran_on.line],
        command="bench",
        rounds=rounds,
        claims=[r.claim.name for r in results],
    )


def bench_busy(device: str, processes: int, reporter: Reporter) -> None:
    """Run one call of `bench --busy`."""
    from headless.bench.busy import VIEWS, measure_busy
    from headless.bench.models import bench_model
    from headless.bench.ran_on import RanOn
    from headless.models import pick_device

    place = pick_device(device)
    ran_on = RanOn.here(place)
    reporter.start(
        f"bench: {VIEWS} views with the machine quiet, and with {counted(processes, 'busy process', 'busy processes')}, on {place}",
        command="bench",
        output=None,
        busy=processes,
        device=place,
        machine=ran_on.to_json(),
    )
    with reporter.progress("views", 2 * VIEWS) as advance:
        measured = measure_busy(bench_model("demo", place), processes, advance)
    others = measured.others_cores
    if others is not None and others > QUIET_CORES:
        reporter.warning(
            f"other programs took the time of {others:.1f} cores during the quiet views, so these are not a quiet machine's; "
            "end them and measure again"
        )
    reporter.event("busy", **_busy_fields(measured))
    rows = [_busy_row("quiet", measured, measured.quiet), _busy_row(f"{processes} busy", measured, measured.busy)]
    reporter.summary([BUSY_HEAD, *rows, ran_on.line], command="bench", busy=processes)


def _busy_fields(measured: BusyMeasured) -> dict[str, Any]:
    from headless.bench.busy import VIEWS

    return {
        "processes": measured.processes,
        "views": VIEWS,
        "quiet_median_s": round(measured.quiet.median_s, 4),
        "quiet_slowest_s": round(measured.quiet.slowest_s, 4),
        "busy_median_s": round(measured.busy.median_s, 4),
        "busy_slowest_s": round(measured.busy.slowest_s, 4),
        "median_ratio": round(measured.median_ratio, 2),
        "slowest_ratio": round(measured.slowest_ratio, 2),
        "others_cores": _rounded(measured.others_cores, 2),
    }


def _busy_row(name: str, measured: BusyMeasured, times: ViewTimes) -> str:
    """A machine's times, in seconds and as multiples of the quiet median."""
    median, slowest = (seconds / measured.quiet.median_s for seconds in (times.median_s, times.slowest_s))
    return f"{name:10s} {times.median_s:9.3f} {median:6.1f}x {times.slowest_s:10.3f} {slowest:6.1f}x"


def _fields(measured: Measured) -> dict[str, Any]:
    difference = measured.difference
    return {
        "name": measured.claim.name,
        "baseline": measured.claim.baseline,
        "baseline_s": round(measured.baseline_s, 4),
        "fast_s": round(measured.fast_s, 4),
        "ratio": round(measured.ratio, 2),
        "agreement": _rounded(difference.agreement, 5),
        "psnr_db": _rounded(difference.psnr_db, 2),
        "depth_error": _rounded(difference.depth_error, 6),
        "peak_mb": _rounded(measured.peak_mb, 0),
        "baseline_peak_mb": _rounded(measured.baseline_peak_mb, 0),
        "rounds": measured.rounds,
        "views": measured.claim.views,
    }


def _row(measured: Measured) -> str:
    difference = measured.difference
    cells = (
        _text(difference.agreement, "8.4%"),
        _text(difference.psnr_db, "6.1f"),
        _text(difference.depth_error, "8.4%"),
        _text(measured.peak_mb, "8.0f"),
    )
    return (
        f"{measured.claim.name:17s} {measured.claim.baseline:8s} {measured.baseline_s:10.3f} {measured.fast_s:8.3f} {measured.ratio:6.1f}x "
        + " ".join(cells)
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _text(value: float | None, form: str) -> str:
    return "-".rjust(int(form.split(".", maxsplit=1)[0])) if value is None else format(value, form)
