"""The methods around annotating: views to paint, what is painted, painted masks carried on, and training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerf_core.checkpoints import model_facts
from dnerf_core.errors import UsageError
from dnerf_core.files.annotated_folder import check_generator, is_painted, read_folder
from dnerf_core.job_ranges import SEED
from dnerf_core.limits import MAX_SUBJECTS
from dnerf_core.multiview.prefilling import Prefiller, choose_views, correct_pixels, truth_is_known
from dnerf_core.ranges import ranges_of
from headless import models
from headless.annotating.training_plan import TrainCall
from headless.runs.sample import sample as run_sample
from headless.runs.sampling.call import SampleCall
from headless.runs.train import train as run_train
from headless.worker.held import HeldModels
from headless.worker.jobs import Job, JobReporter
from headless.worker.params import Params

if TYPE_CHECKING:
    from dnerf_core.files.annotated_folder import Annotations


def sample(job: Job, held: HeldModels) -> dict[str, Any]:
    """An annotation folder as `dnerf-headless sample` writes it; the same request again finishes what is missing."""
    params = Params(job.params)
    call = sample_call(params, held.device)
    params.close()
    reporter = JobReporter(job)
    run_sample(call, reporter, load=lambda name: held.get(name).model)
    return folder_facts(read_folder(call.output)) | {"warnings": reporter.warnings}


def sample_call(params: Params, device: str) -> SampleCall:
    """The call that a request means."""
    seeds, files = chosen_subjects(params)
    return SampleCall(
        model_name=params.text("model"),
        seeds=seeds,
        subject_files=files,
        labels=part_names(params.texts("labels", None)),
        device=device,
        output=params.path("output"),
        pose=params.path("pose", None),
        **params.fields(
            SampleCall,
            *("subjects", "views", "yaw", "pitch", "random_views", "view_distribution", "random_poses", "truncation", "truth"),
        ),
    )


def chosen_subjects(params: Params) -> tuple[tuple[int, ...] | None, tuple[Path, ...]]:
    """`seeds`, or `subject_files` instead: the other is None or empty; both are where `subjects` says how many.

    Raises:
        UsageError: neither or both, a seed given twice, or a path that is not absolute or names no file.
    """
    files = tuple(Path(text) for text in params.texts("subject_files", None) or ())
    given: Any = {"default": None} if files or params.field(SampleCall, "subjects") is not None else {}
    seeds = params.wholes("seeds", SEED, most=MAX_SUBJECTS, **given)
    if files and seeds is not None:
        raise UsageError("params: seeds: expected none beside subject_files, found some; leave them out")
    if seeds is not None and len(set(seeds)) < len(seeds):
        raise UsageError("params: seeds: expected each one once, found one twice; leave it out")
    for file in files:
        if not (file.is_absolute() and file.is_file()):
            raise UsageError(
                f"params: subject_files: expected absolute paths of files, found {str(file)[:200]!a}; correct the request"
            )
    return None if seeds is None else tuple(seeds), files


def part_names(names: list[str] | None) -> tuple[str, ...] | None:
    """Names of parts to paint; None: the model's own.

    Raises:
        UsageError: a name that the command line could not say: with a comma, or such as a file's.
    """
    if names is None:
        return None
    for name in names:
        if "," in name or name.lower().endswith(".json"):
            raise UsageError(
                f"params: labels: expected names without a comma and not ending in .json, found {name[:60]!r}; rename it"
            )
    return tuple(name.strip() for name in names)


def open_annotations(job: Job, held: HeldModels) -> dict[str, Any]:
    """What an annotation folder holds, and which of its views are painted."""
    params = Params(job.params)
    folder = params.path("folder")
    params.close()
    return folder_facts(read_folder(folder))


def folder_facts(annotations: Annotations) -> dict[str, Any]:
    """A folder as its client sees it, each view with whether it is painted."""
    folder = annotations.folders[0]
    views = []
    for image in annotations.images:
        view = {
            "name": image.name,
            "seed": image.subject.seed,
            "view": image.view,
            "image": str(folder / "images" / f"{image.name}.png"),
            "mask": str(image.mask_path),
            "camera": image.camera.to_json(),
            "painted": is_painted(image.mask),
        }
        if image.subject.file is not None:
            view["subject_file"] = str(image.subject.file.path)
        views.append(view)
    first = annotations.images[0]
    return {
        "folder": str(folder),
        "model": annotations.model,
        "truncation": first.subject.truncation,
        "size_px": first.mask.shape[0],
        "labels": annotations.labels.to_json(),
        "views": views,
    }


def prefill(job: Job, held: HeldModels) -> dict[str, Any]:
    """The painted views of a subject carried into its views that are not painted yet; nothing is written into the folder."""
    params = Params(job.params)
    folder, name = params.path("folder"), params.text("view")
    given_model = params.text("model", None)
    params.close()
    annotations = read_folder(folder)
    painted, targets = choose_views(annotations.images, name)
    job.progress(0, len(targets), "views")
    model_name = given_model or annotations.model
    facts = model_facts.describe_model(model_name)
    check_generator(annotations, facts.path)
    holder = held.get(model_name)
    key = painted[0].subject
    subject = holder.subject(key)
    known = key.file is None and truth_is_known(holder.model, annotations.labels, key.truncation)
    views: list[dict[str, Any]] = []
    with models.one_thread_a_view():
        prefiller = Prefiller(subject, painted, annotations.labels)
        for target in targets:
            depth = prefiller.depth(target.camera, target.mask.shape[0])
            filled = prefiller.fill(target.name, target.camera, depth)
            view: dict[str, Any] = {"name": target.name, "mask": job.exchange.put(filled.mask)}
            view |= {"filled_px": filled.filled_px, "object_px": filled.object_px}
            if known:
                view["right_px"] = correct_pixels(holder.model, key.seed, target.camera, filled, depth)
            views.append(view)
            job.progress(len(views), len(targets), "views")
    return {"painted": [image.name for image in painted], "views": views, "truth": known}


def train(job: Job, held: HeldModels) -> dict[str, Any]:
    """A model file trained on painted folders, as `dnerf-headless train` writes it; the same request again goes on where it was cut."""
    params = Params(job.params)
    call = train_call(params, held.device)
    params.close()
    for folder in call.folders:
        if not folder.is_absolute():
            raise UsageError(f"params: folders: expected absolute paths, found {str(folder)[:60]!r}; correct the request")
    held.clear()  # a training takes all the memory there is
    reporter = JobReporter(job)
    run_train(call, reporter)
    results = reporter.results
    return {
        "model": str(call.output),
        "scores": {name: results[name] for name in ("miou", "accuracy", "iou_per_class")},
        "nothing_to_do": results["nothing_to_do"],
        "warnings": reporter.warnings,
    }


def train_call(params: Params, device: str) -> TrainCall:
    """The call that a request means."""
    return TrainCall(
        folders=tuple(Path(folder) for folder in params.texts("folders")),
        output=params.path("output"),
        model_name=params.text("model", None),
        device=device,
        **params.fields(TrainCall, *(name for name in ranges_of(TrainCall) if name != "device")),
    )
