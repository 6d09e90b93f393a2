"""What the values of jobs may be where several doors know them: the command line, the worker, and the panel in Blender.

A value that the panel does not show stands in its call alone. Defaults that the engine has too are compared with the engine's by a test.
The extension carries this module, so it needs the standard library only.
"""

from __future__ import annotations

from .limits import (
    MAX_FRAMES,
    MAX_RESOLUTION,
    MAX_SEED,
    MAX_SUBJECTS,
    MAX_TRUNCATION,
    MAX_VIEWS,
    MAX_VIEWS_A_CALL,
    MIN_RESOLUTION,
)
from .own_views import ALL_AROUND_YAW_DEG, FRONT_YAW_DEG, SEARCH_YAW_DEG
from .ranges import Choice, Choices, Degrees, Flag, Number, Rate, Whole

OFF = Flag(False)
"""A switch that is off unless it is asked for."""
SNAP_COLORS = Flag(
    False, "Read masks by the nearest label colour: antialiased, JPEG or BMP ones, and those of half or double the size."
)

# subjects
SEED = Whole(0, MAX_SEED, 0, "Choose the subject by its seed.")
SUBJECTS = Whole(1, MAX_SUBJECTS, None, "Take the first N seeds instead of --seeds.", usual=8)
SAMPLED_SUBJECTS = Whole(1, MAX_SUBJECTS, None, SUBJECTS.text, usual=30)
TRUNCATION = Number(
    0.0, MAX_TRUNCATION, 1.0, "Pull subjects towards the mean subject: 1 leaves them as they are, 0 gives the mean."
)

# views
VIEWS = Whole(1, MAX_VIEWS, None, "Make N views of each subject.", usual=3)
CLOUD_VIEWS = Whole(1, MAX_VIEWS, None, "Make N views of each subject.", usual=8)
YAW = Degrees(360.0, None, "Turn the camera round the subject by A to B degrees, or by a single value.", usual=FRONT_YAW_DEG)
CLOUD_YAW = Degrees(360.0, None, YAW.text, usual=ALL_AROUND_YAW_DEG)
PITCH = Degrees(90.0, None, "Raise the camera above the horizon by A to B degrees, or by a single value.")
RESOLUTION = Whole(MIN_RESOLUTION, MAX_RESOLUTION, None, "Make the pictures this many pixels wide and high.")

# data sets
CHANNELS = Choices(
    ("rgb", "mask", "depth", "normal", "uncertainty", "parts", "joints", "vertices"), None, "Write these of each view."
)
"""In the order in which records have them; `headless.datasets.channels` says what each is."""
FORMATS = Choices(
    ("folder", "coco", "coco-keypoints", "nerfstudio", "webdataset"), None, "Also write the views in other formats."
)
"""`headless.datasets.formats.registry` says what each is."""
MASKS = Choice(
    ("ids", "palette"),
    None,
    "Write masks as 8-bit gray ids, which every reader takes as they are, or as palettes, to look at.",
)
DEPTH_FORMAT = Choice(
    ("exr", "npy", "png16"),
    "exr",
    "Write depth as exr (float32, 0 at background), npy (float32, +inf at background), or png16 (16-bit gray in thousandths of a world "
    "unit, 0 at background).",
)
SHARD_VIEWS = Whole(1, MAX_VIEWS_A_CALL, None, "With --format webdataset: put N views into each shard.")
COCO_INSTANCES = Choice(
    ("parts", "connected"),
    "parts",
    "With --format coco: make an instance of all that a view shows of a part, or of each connected piece of it.",
)
NERFSTUDIO_IMAGES = Choice(
    ("linked", "copied", "rgba"),
    "linked",
    "With --format nerfstudio: name the images where they are, copy them into each scene's folder, or write them there with the "
    "subject's outline as alpha.",
)
AABB_SCALE = Whole(
    1, 128, None, "With --format nerfstudio: tell instant-ngp that its scene is N times the unit cube, a power of 2 up to 128."
)
REJECT_UNCERTAIN = Number(0.0, 0.99, 0.0, "Leave the most uncertain views out of all lists, this share of them.")

# how it is computed
DEVICE = Choice(("auto", "cpu", "cuda"), "auto", "Compute on this device; auto takes a CUDA device if there is one.")
WORKERS = Whole(1, 256, None, "Render N views side by side; results do not depend on it.")

# label videos
FRAMES = Whole(1, MAX_FRAMES, None, "Give each clip N frames.", usual=61)
"""Usual are the paper's."""
FPS = Rate(1, 240, 24, "Show N frames a second; a fraction such as 24000/1001 is kept exactly.")
FRAME_NUMBER = Whole(0, 1_048_574)
"""Of a frame in the scene that it comes from: as many as Blender has."""

# point clouds
VOXEL = Number(0.0, None, None, "Space the points this far apart, in world units.", above=True)
POINTS = Whole(1, 10_000_000, None, "Thin each cloud to exactly N points, instead of a distance between them.")

# training
TRAIN_STEPS = Whole(1, 1_000_000, 600, "Let the optimiser take N steps.")

# searches
SEARCH_YAW = Degrees(360.0, None, "Look for the camera among turns of A to B degrees.", usual=SEARCH_YAW_DEG)
SEARCH_STEPS = Whole(1, 100_000, None, "Let the optimiser take N steps, all stages together.")
TUNING = Whole(0, 100_000, 0, "Then tune the generator's own weights about what was found, for N steps (pivotal tuning).")
SEARCH_SEED = Whole(0, MAX_SEED, 0, "Draw the random latents by this seed; another one starts the search from elsewhere.")
PICTURE_KIND = Choice(
    ("image", "mask"), "image", "Take the pictures as photos (image), or as label masks such as annotators paint (mask)."
)
FIT = Choice(("pad", "crop"), "pad", "Make a picture square: pad it with the model's background, or crop it to its centre.")

EDIT_STEPS = Whole(2, 100_000, 80, "Let the optimiser take N steps.")
MARGIN = Whole(0, 1024, 4, "Let everything change up to this many pixels round what was repainted.")
LABEL_WEIGHT = Number(0.0, None, 1.0, "Weigh by W how the labels differ from the mask (cross-entropy, the paper's lambda 1).")
RGB_WEIGHT = Number(0.0, None, 10.0, "Weigh by W how the colours outside the edited region change (lambda 2).")
PERCEPTUAL_WEIGHT = Number(0.0, None, 0.0, "Weigh the perceptual loss by W; needs the network's weights.")
KEEP_INSIDE = Number(
    0.0, None, 0.5, "Weigh by W how colours in the region change, away from what was repainted; 0: the paper's loss."
)
