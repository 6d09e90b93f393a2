"""The engine of `render --engine ray`: a cluster, and subjects dealt out to its actors."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from headless.cluster.actor import ActorWork
from headless.cluster.cluster import joined
from headless.datasets.plan import view_names
from headless.datasets.view_job import MakeViews
from headless.datasets.view_source import ViewSource
from headless.datasets.view_writer import MadeView, ViewWriter
from headless.work.convolutions import settled_form
from headless.work.reporting import Reporter


@contextmanager
def ray_engine(writer: ViewWriter, source: ViewSource, workers: int | None, reporter: Reporter) -> Iterator[MakeViews]:
    """An engine on a Ray cluster, joined for the length of the block; see `headless.cluster.cluster.joined`.

    Args:
        writer: how views are written.
        source: where subjects come from; its device may be "auto".
        workers: the most actors; None: as many as the cluster has GPUs or, where none is used, cores.

    Raises:
        DNeRFError: there is no such cluster.
    """
    begun: list[int] = []
    try:
        with joined(workers, source.device) as cluster:
            from headless.cluster.crew import Crew, Subject  # imports Ray, which reads what `joined` has set up for it

            gpu = source.device != "cpu" and cluster.gpus > 0
            form = source.form or settled_form(writer.folder, None if gpu else "cpu", exact=source.plan.exact)
            source = replace(source, device="cuda" if gpu else "cpu", form=form)
            work = ActorWork(writer, source, Path.cwd(), cluster.view_threads(gpu))
            max_actors = min(workers or cluster.gpus, cluster.gpus) if gpu else workers or max(cluster.cpus, 1)

            def make_views(writer: ViewWriter, seeds: Sequence[int]) -> Generator[MadeView, None, None]:
                begun.extend(seeds)
                subjects = (Subject(seed, _missing_names(writer, seed)) for seed in seeds)
                return Crew(work, subjects, min(max_actors, len(seeds)), gpu, reporter).views()

            yield make_views
    finally:
        writer.folder.clear(frozenset(begun))


def _missing_names(writer: ViewWriter, seed: int) -> set[str]:
    return {name for name in view_names(writer.plan, seed) if writer.folder.missing_kinds(name)}
