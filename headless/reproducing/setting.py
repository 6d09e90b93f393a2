"""What a reproduction works with: a model, whose truth is known or which is a user's own, and its sizes; all of it checked."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import AnnotationError, UsageError
from headless.reproducing.call import ALL, OF_PICTURES, WITHOUT_TEST, ReproduceCall
from headless.reproducing.scales import SCALES, Scale
from headless.reproducing.steps import Given

VIEWS_A_SUBJECT = 3
"""Painted views of each subject, as in the paper's 30 x 3."""
PAINTED_SEEDS = 1000
"""Each repetition has as many seeds for painted subjects."""
WITH_FOUNDATION, WITH_RESNET101 = "s13", "table1"
"""The experiments that have rows of foundation features, and of ResNet101."""
MAX_ANNOTATIONS = VIEWS_A_SUBJECT * PAINTED_SEEDS


@dataclass(frozen=True)
class Setting:
    """A checked call.

    Attributes:
        scale: its sizes, with the call's own numbers in place of the scale's.
        model: the generator.
        annotated, test: a user's own; None: those of a world.
        counts: of painted views, growing; of a user's folder the one that it has.
        rays: a side of the model's views, before they are enlarged.
        yaw_deg, pitch_deg: where painted and generated views are from; None: the model's own.
        foundation, resnet: weights of DINOv2 and of ResNet101; None: none are named.
    """

    call: ReproduceCall
    scale: Scale
    model: Given
    annotated: Given | None
    test: Given | None
    counts: tuple[int, ...]
    repetitions: int
    rays: int
    yaw_deg: tuple[float, float] | None
    pitch_deg: tuple[float, float] | None
    foundation: Given | None = None
    resnet: Given | None = None

    @property
    def world(self) -> str | None:
        """The world that knows the truth; None: nobody does."""
        return None if self.annotated is not None else self.call.world


def make_setting(call: ReproduceCall, scale: Scale | None = None) -> Setting:
    """A call, checked before anything is computed.

    Args:
        scale: instead of the one that the call names.

    Raises:
        DNeRFError: options that do not go together, or a model or folder that cannot be used.
    """
    foundation = _weights(call, "--foundation", call.foundation, WITH_FOUNDATION, _check_foundation)
    resnet = _weights(call, "--resnet", call.resnet, WITH_RESNET101, _check_resnet101)
    setting = _without_weights(call, SCALES[call.scale] if scale is None else scale)
    return dataclasses.replace(setting, foundation=foundation, resnet=resnet)


def _without_weights(call: ReproduceCall, sizes: Scale) -> Setting:
    repetitions = call.seeds or sizes.repetitions
    given = {"--model": call.model_name, "--annotated": call.annotated, "--test": call.test}
    if call.experiment in WITHOUT_TEST:
        del given["--test"]
        if call.test is not None:
            raise UsageError(
                f"--test: expected none of {call.experiment}, which divides the painted folder into folds; leave it out"
            )
    missing = [option for option, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        raise UsageError(
            f"{', '.join(option for option in given if option not in missing)}: expected {_together(list(given))} together, "
            f"found no {missing[0]}; give {'all three' if len(given) == 3 else 'both'}, or none for a world"
        )
    for option, value in {"--category": call.category, "--parts": call.parts}.items():
        if value is not None and (call.test is None or call.experiment != "table3"):
            raise UsageError(f"{option}: expected table3 with --test, whose benchmark it is of, found others; leave it out")
    if call.model_name is None or call.annotated is None:
        return _of_world(call, sizes, repetitions)
    if call.annotations is not None:
        raise UsageError(
            "--annotations: expected without --annotated, whose views are all taken, found both; leave --annotations out"
        )
    from headless.annotating.painted import read_painted
    from headless.annotating.training_plan import matching_model

    painted = read_painted((call.annotated,), skip_unpainted=True)
    if call.experiment in OF_PICTURES:
        from dnerf_core.downstream.images.sides import mirrored_ids

        # segmenters learn from mirrored pictures, and look at mirror images
        mirrored_ids(painted.labels, f"--annotated {call.annotated}", "name parts of both sides, or without sides")
    facts = matching_model(call.model_name, painted)
    annotated = Given(call.annotated, folder_sha256(call.annotated, "--annotated"))
    test = None if call.test is None else Given(call.test, folder_sha256(call.test, "--test"))
    model, rays = Given(call.model_name, facts.sha256), facts.config.rays.neural_resolution
    return Setting(call, sizes, model, annotated, test, (len(painted.images),), repetitions, rays, None, None)


def _together(options: list[str]) -> str:
    return f"{', '.join(options[:-1])} and {options[-1]}"


def _weights(
    call: ReproduceCall, option: str, path: Path | None, experiment: str, check: Callable[[Path], object]
) -> Given | None:
    """A file of weights that one experiment has a row of.

    Raises:
        UsageError: an experiment that has no use for them, or a file that cannot be read.
        CheckpointError: a file of another network.
    """
    if path is None:
        return None
    if call.experiment not in (experiment, ALL):
        raise UsageError(
            f"{option}: expected {experiment} or {ALL}, found {call.experiment}, which has no row of it; leave it out"
        )
    check(path)
    return Given(path, file_sha256(path, option))


def _check_foundation(path: Path) -> None:
    from dnerf_core.downstream.baselines.vision_transformer import check_transformer

    check_transformer(path)


def _check_resnet101(path: Path) -> None:
    from dnerf_core.downstream.baselines.transfer import TransferConfig, transferred

    transferred(TransferConfig("resnet101-last", path))


def _of_world(call: ReproduceCall, scale: Scale, repetitions: int) -> Setting:
    from dnerf_core.demo.exact_worlds import exact_world

    counts = call.annotations or scale.annotations
    if any(not 1 <= count <= MAX_ANNOTATIONS for count in counts) or len(set(counts)) < len(counts):
        found = ",".join(map(str, counts))
        raise UsageError(
            f"--annotations: expected numbers of views from 1 to {MAX_ANNOTATIONS}, each once, found {found}; correct them"
        )
    if any(count > PAINTED_SEEDS and count % VIEWS_A_SUBJECT for count in counts):
        raise UsageError(
            f"--annotations: above {PAINTED_SEEDS} expected multiples of {VIEWS_A_SUBJECT}, found {max(counts)}; correct it"
        )
    facts, world = model_facts.describe_model(call.world), exact_world(call.world)
    model = Given(call.world, facts.sha256)
    rays = facts.config.rays.neural_resolution
    return Setting(call, scale, model, None, None, tuple(sorted(counts)), repetitions, rays, world.yaw_deg, world.pitch_deg)


def folder_sha256(folder: Path, option: str) -> str:
    """A hash of the names and contents of a folder's files.

    Raises:
        AnnotationError: there is no such folder, or a file of it cannot be read.
    """
    if not folder.is_dir():
        raise AnnotationError(f"{option} {folder}: expected a folder, found none; check the path")
    sums = hashlib.sha256()
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                sums.update(f"{path.relative_to(folder).as_posix()} {digest}\n".encode())
    except OSError as error:
        raise AnnotationError(
            f"{option} {folder}: expected files that can be read, found {error}; see to their rights"
        ) from error
    return sums.hexdigest()


def file_sha256(path: Path, option: str) -> str:
    """A hash of a file's content.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(
            f"{option} {path}: expected a file that can be read, found {error.strerror}; see to its rights"
        ) from error


def known_world(setting: Setting) -> str:
    """The world of a setting that has one, which its experiments have made sure of."""
    assert setting.world is not None
    return setting.world
