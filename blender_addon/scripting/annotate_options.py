"""Options of annotating: views to paint, what is carried on to other views, and training."""

import bpy

from dnerf_core import job_ranges

from ..places import PATH_OPTIONS
from ..ranged import number_property, whole_property
from .options import angles_option, choice_option, flag_option, number_option, path_option, text_option, whole_option
from .subject_options import ModelOption


class SampleOptions(ModelOption):
    """Which views are to be painted, and with which labels."""

    seeds: text_option("Seeds", "Such as 0-9 or 0,3,9-12; left out: the first ones, as many as the panel says")
    subjects: whole_property(job_ranges.SAMPLED_SUBJECTS, "Subjects", description="How many seeds, from 0")
    subject_files: path_option("Subject files", "Instead of seeds, with the system's path separator between them")
    truncation: number_property(job_ranges.TRUNCATION, "Truncation")
    views: whole_property(job_ranges.VIEWS, "Views each", description="Views of each subject")
    yaw: angles_option(job_ranges.YAW, "Yaw", "First and last turn, degrees; left out: the model's own")
    pitch: angles_option(job_ranges.PITCH, "Pitch", "First and last elevation, degrees; left out: the model's own")
    random_views: flag_option("Random views", "Directions are drawn, instead of evenly spaced")
    view_distribution: choice_option("View distribution", ("even", "uniform", "gaussian"), "How directions are drawn")
    pose: path_option("Pose", "Of subjects that move: a file of poses")
    random_poses: flag_option("Random poses", "Of subjects that move: each view has a pose by chance")
    labels: text_option("Labels", "Names of the parts, with commas; empty: those of the model; left out: what the panel says")
    truth: flag_option("Truth", "Masks are filled from the exact truth, which is known for embedded models")
    output: bpy.props.StringProperty(
        name="Folder",
        description="Where the views go; left out: the panel's folder, whose views are listed",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )


class FolderOption:
    """Which painted folder."""

    folder: bpy.props.StringProperty(
        name="Folder", description="A folder of views to paint; left out: the panel's", subtype="DIR_PATH", options=PATH_OPTIONS
    )


class PrefillOptions(ModelOption, FolderOption):
    """What is carried on to other views."""

    view: text_option("View", "The painted view, such as s0000_v00; left out: the one chosen in the list")


class TrainOptions:
    """What is learned from, how, and where the model goes."""

    folders: path_option("Folders", "Painted folders, with the system's path separator between them; left out: the panel's")
    output: bpy.props.StringProperty(
        name="Save to",
        description="The model file; left out: what the panel says",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
    )
    model: text_option("Model", "Whose generator is taken; left out: the one that the first folder was sampled from")
    steps: whole_property(job_ranges.TRAIN_STEPS, "Steps", description="Training steps")
    feature_kind: choice_option("Features", ("features", "planes"), "What the branch reads")
    scales: choice_option("Scales", ("all", "last"), "Of which resolutions")
    density_prior: flag_option("Density prior", "Whether labels are weighed by density")
    patch: whole_option("Patch", "Side of the random square of rays that each step learns from; left out: all of a view")
    guide: choice_option("Guide", ("none", "rendered", "rgb"), "What guides the refiner")
    learning_rate: number_option("Learning rate", "Of the optimiser")
    seed: whole_option("Seed", "Of the weights and of what is drawn")
    holdout: number_option("Held out", "Subjects that are scored and not trained on: a number, or a share below 1")
    skip_unpainted: bpy.props.BoolProperty(
        name="Skip unpainted", description="Masks with nothing painted are left out", default=True, options={"HIDDEN"}
    )
    allow_missing_classes: bpy.props.BoolProperty(
        name="Allow missing labels", description="Train although some labels are painted nowhere yet", options={"HIDDEN"}
    )
    snap_colors: flag_option("Snap colours", "Masks are read by the nearest label's colour")
    strict: flag_option("Strict", "A mask that seems mirrored, shifted or another view's is refused, instead of warned of")
