"""Options of searches for a subject: by a photo or a mask, and by a repainted mask."""

import bpy

from dnerf_core import job_ranges

from ..own_yaw import own_yaw_property, own_yaw_switch_property
from ..places import PATH_OPTIONS
from ..ranged import choice_property, number_property, whole_property
from .options import choice_option, flag_option, number_option, pair_option, path_option, text_option, whole_option
from .subject_options import ModelOption, OneSubjectOptions

_KINDS = {
    "image": ("Photo", "A photo: shape and colours are found"),
    "mask": ("Mask", "A painted mask in the labels' colours: the shape is found, colours are open"),
}
_FITS = {
    "pad": ("Pad", "All of the picture, between bars where it is not square"),
    "crop": ("Crop", "The square at its centre"),
}


class PictureOptions(ModelOption):
    """What is known of a picture, and how its subject is looked for."""

    kind: choice_property(job_ranges.PICTURE_KIND, "Kind", _KINDS)
    fit: choice_property(job_ranges.FIT, "Fit", _FITS)
    crop: bpy.props.IntVectorProperty(
        name="Crop",
        description="Left, top and side of the square that is taken, pixels, in place of Fit",
        size=3,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    own_yaw: own_yaw_property(job_ranges.SEARCH_YAW, ("yaw",))
    own_yaw_switch: own_yaw_switch_property()
    yaw: bpy.props.FloatVectorProperty(
        name="Yaw",
        description="First and last turn at which the camera is looked for, degrees",
        size=2,
        min=-job_ranges.SEARCH_YAW.limit,
        max=job_ranges.SEARCH_YAW.limit,
        default=job_ranges.SEARCH_YAW.usual,
    )
    pitch: pair_option("Pitch", "Elevations at which the search begins, degrees; left out: the model's own")
    camera: text_option("Camera", "The name of the camera that took it, where it is known; left out: it is found")
    pose: path_option("Pose", "Of subjects that move: a file of the one pose; left out: it is found")
    space: choice_option("Space", ("z", "w", "w+"), "The latent that is moved")
    starts: whole_option("Starts", "The best so many candidates are descended from")
    candidates: whole_option("Candidates", "So many random latents are compared")
    steps: whole_property(
        job_ranges.SEARCH_STEPS, "Steps", description="How long the search is", left_open="the engine's own number"
    )
    prior: number_option("Prior", "How much an unusual latent counts against it")
    perceptual_weight: number_option("Likeness", "How much a VGG16 network's view of the picture counts")
    perceptual_file: path_option("VGG16", "The network's file")
    tuning: whole_property(
        job_ranges.TUNING,
        "Tuning steps",
        description="Afterwards the generator's weights are tuned to the photo for so many steps; the file becomes as large as the model",
    )
    snap_colors: flag_option("Snap colours", "A mask is read by the nearest label's colour")
    seed: whole_property(job_ranges.SEARCH_SEED, "Search seed", description="Another one starts from elsewhere")
    output: bpy.props.StringProperty(
        name="Save to",
        description="Folder for the subject file; left out: what the panel says",
        subtype="DIR_PATH",
        options={"HIDDEN", "SKIP_SAVE", *PATH_OPTIONS},
    )


class EditViewOptions(OneSubjectOptions):
    """Which subject's mask, seen from where."""

    camera: text_option("Camera", "The name of the camera; left out: the scene's")


class EditOptions(EditViewOptions):
    """Which mask, and how the subject follows it."""

    mask: path_option("Mask", "A repainted mask's file, seen from the camera; left out: the mask painted in Blender")
    steps: whole_property(job_ranges.EDIT_STEPS, "Steps", description="How long the edit is worked on")
    margin: whole_property(job_ranges.MARGIN, "Margin")
    keep_inside: number_property(job_ranges.KEEP_INSIDE, "Keep texture")
    label_weight: number_property(job_ranges.LABEL_WEIGHT, "Labels")
    rgb_weight: number_property(job_ranges.RGB_WEIGHT, "Colours")
    perceptual_weight: number_property(job_ranges.PERCEPTUAL_WEIGHT, "Likeness")
    perceptual_file: path_option("VGG16", "The network's file; left out: the panel's")
    edited_weight: number_option("Edited weight", "How many times a repainted pixel's label counts")
    prior: number_option("Prior", "How much it counts how far the subject moves from what it was")
    snap_colors: flag_option("Snap colours", "The mask is read by the nearest label's colour")
    output: bpy.props.StringProperty(
        name="Save to",
        description="Folder for the subject file; left out: what the panel says",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
