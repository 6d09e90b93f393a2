"""What is behind a subject, drawn by a seed: plain and cluttered backdrops, rooms, streets and parks; nothing is read from files."""
