"""How much one call may ask for: data that commands, worker, panel and library compare with. The extension carries it."""

MAX_SEED = 2**32 - 1
MAX_SUBJECTS = 1_000_000
MAX_VIEWS = 10_000
"""Of one subject."""
MAX_VIEWS_A_CALL = 1_000_000
"""A folder of more is beyond what file systems and readers take well; more is a job for several calls."""
MAX_FRAMES = 100_000
"""Of one clip; of one request's cameras too."""
MIN_RESOLUTION, MAX_RESOLUTION = 8, 4096
"""Of a picture's side, pixels."""
MAX_TRUNCATION = 2.0
