"""Pictures as bytes in memory."""
