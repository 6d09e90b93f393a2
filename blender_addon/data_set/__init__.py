"""Data sets from the panel and from scripts: subjects, cameras, files, and the request that worker and command line share."""
