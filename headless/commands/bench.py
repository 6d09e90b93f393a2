"""`dnerf-headless bench`: what the fast path gains over the literal method on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dnerf_core.errors import did_you_mean
from headless.commands import options
from headless.commands.grouped import GroupedCommand
from headless.commands.ranged_options import option
from headless.work.reporting import Reporter

if TYPE_CHECKING:
    from headless.bench.claims import Measured

ROUNDS = 3

HEAD = (
    f"{'claim':17s} {'baseline':8s} {'baseline s':>10s} {'fast s':>8s} {'times':>7s} "
    f"{'labels':>8s} {'dB':>6s} {'depth':>8s} {'peak MB':>8s}"
)


@click.command("bench", cls=GroupedCommand, epilog="\b\nExample:\n  dnerf-headless bench --quick --json")
@options.device_option
@option("--quick", is_flag=True, help="Measure one round instead of three.")
@option("--claim", "names", multiple=True, metavar="NAME", help="Measure only this claim; may be given several times.")
@options.output_style_options
def command(device: str, quick: bool, names: tuple[str, ...], as_json: bool) -> None:
    """Measure the fast path against the literal method on this machine.

    A line a claim: seconds a view of both, the ratio, the share of equal labels, the image's PSNR, the median depth
    difference as a share of the box, and the fast path's peak memory. Full-size claims use weights from a formula, so no
    download is needed. Where the baseline is `exact`, it is what `--exact` renders: the literal method's numbers, in less time.
    """
    bench(device, ROUNDS if not quick else 1, names, Reporter(as_json))


def bench(device: str, rounds: int, names: tuple[str, ...], reporter: Reporter) -> None:
    """Run one call of `bench`.

    Raises:
        UsageError: a claim that is not there.
    """
    from dnerf_core.errors import UsageError
    from headless.bench.claims import CLAIMS, measure
    from headless.bench.models import bench_model
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
        [HEAD, *(_row(measured) for measured in results)], command="bench", rounds=rounds, claims=[r.claim.name for r in results]
    )


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
