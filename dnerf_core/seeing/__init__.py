"""What a subject's rays see, before it becomes a picture."""
