"""The report as data, and as Markdown and HTML with charts and pictures."""
