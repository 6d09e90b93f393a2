"""Options that say which model and which subjects a job is of; `which` reads them."""

from dnerf_core import job_ranges

from ..data_set.options import SubjectOptions
from ..ranged import number_property, whole_property
from .options import path_option, text_option


class ModelOption:
    """Which model."""

    model: text_option("Model", "An embedded model's name, or a model file; left out: the panel's")


class SubjectsOptions(ModelOption, SubjectOptions):
    """Which subjects, one or several."""

    truncation: number_property(job_ranges.TRUNCATION, "Truncation")
    subject_files: path_option("Subject files", "Instead of seeds, with the system's path separator between them")


class OneSubjectOptions(ModelOption):
    """Which subject, of a job on one alone."""

    seed: whole_property(job_ranges.SEED, "Seed")
    truncation: number_property(job_ranges.TRUNCATION, "Truncation")
    subject_file: path_option("Subject file", "Instead of a seed")
