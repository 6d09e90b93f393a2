"""The engine's retargeting as the add-on uses it: the one place that knows where it lies."""

from dnerf_core.poses.bone_map import BoneMap, bone_map_between
from dnerf_core.poses.clip import clip_from_matrices
from dnerf_core.poses.retargeting import Retargeter
from dnerf_core.poses.skeleton import Skeleton, body_axes

__all__ = ["BoneMap", "Retargeter", "Skeleton", "body_axes", "bone_map_between", "clip_from_matrices"]
