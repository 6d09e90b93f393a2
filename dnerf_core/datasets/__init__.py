"""Data sets of labelled views, as torch reads them: `from dnerf_core.datasets import LabeledViews`."""

from dnerf_core.datasets.labeled_views import LabeledViews, Sample

__all__ = ["LabeledViews", "Sample"]
