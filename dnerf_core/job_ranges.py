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
    MIN_RESOLUTION,
)
from .own_views import ALL_AROUND_YAW_DEG, FRONT_YAW_DEG, SEARCH_YAW_DEG
from .ranges import Choice, Degrees, Flag, Number, Whole

OFF = Flag(False)
"""A switch that is off unless it is asked for."""

# subjects
SEED = Whole(0, MAX_SEED, 0, "Which subject.")
SUBJECTS = Whole(1, MAX_SUBJECTS, None, "Take the first N seeds instead of --seeds.", usual=8)
SAMPLED_SUBJECTS = Whole(1, MAX_SUBJECTS, None, SUBJECTS.text, usual=30)
TRUNCATION = Number(0.0, MAX_TRUNCATION, 1.0, "Pull subjects towards the mean: 1 leaves them, 0 is the mean.")

# views
VIEWS = Whole(1, MAX_VIEWS, None, "How many views of each subject to make.", usual=3)
CLOUD_VIEWS = Whole(1, MAX_VIEWS, None, "How many views of each subject to make.", usual=8)
YAW = Degrees(360.0, None, "How far the camera is turned round the subject, degrees; one value or a range.", usual=FRONT_YAW_DEG)
CLOUD_YAW = Degrees(360.0, None, YAW.text, usual=ALL_AROUND_YAW_DEG)
PITCH = Degrees(90.0, None, "How far the camera is above the horizon, degrees; one value or a range.")
RESOLUTION = Whole(MIN_RESOLUTION, MAX_RESOLUTION, None, "Side of the pictures, pixels.")

# how it is computed
DEVICE = Choice(("auto", "cpu", "cuda"), "auto", "Where the engine computes; auto takes a CUDA device if there is one.")
WORKERS = Whole(1, 256, None, "How many views are rendered side by side; results do not depend on it.")

# label videos
FRAMES = Whole(1, MAX_FRAMES, None, "How many frames a clip has.", usual=61)
"""Usual are the paper's."""
FPS = Whole(1, 240, 24, "Frames shown a second.")

# point clouds
VOXEL = Number(0.0, None, None, "Distance between neighbouring points, world units.", above=True)
POINTS = Whole(1, 10_000_000, None, "Thin each cloud to exactly N points, instead of a distance between them.")

# training
TRAIN_STEPS = Whole(1, 1_000_000, 600, "How many steps the optimiser takes.")

# searches
SEARCH_YAW = Degrees(360.0, None, "Where the camera is looked for, degrees.", usual=SEARCH_YAW_DEG)
SEARCH_STEPS = Whole(1, 100_000, None, "How many steps the optimiser takes, all stages together.")
TUNING = Whole(0, 100_000, 0, "How many steps the generator's own weights are then tuned about what was found (pivotal tuning).")
SEARCH_SEED = Whole(0, MAX_SEED, 0, "Seed of the random latents; another one starts the search from elsewhere.")
PICTURE_KIND = Choice(("image", "mask"), "image", "What the pictures are: photos, or label masks as annotators paint them.")
FIT = Choice(("pad", "crop"), "pad", "How a picture that is not square becomes square.")

EDIT_STEPS = Whole(2, 100_000, 80, "How many steps the optimiser takes.")
MARGIN = Whole(0, 1024, 4, "How far round what was repainted everything may change, pixels.")
LABEL_WEIGHT = Number(0.0, None, 1.0, "Weight of the cross-entropy to the mask (the paper's lambda 1).")
RGB_WEIGHT = Number(0.0, None, 10.0, "Weight of the colours outside the edited region (lambda 2).")
PERCEPTUAL = Number(0.0, None, 0.0, "Weight of the perceptual loss; needs the network's weights.")
KEEP_INSIDE = Number(0.0, None, 0.5, "Weight of the colours in the region, away from what was repainted; 0: as in the paper.")
