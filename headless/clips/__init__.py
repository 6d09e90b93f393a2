"""Label videos: which frames, the job, and the files."""
