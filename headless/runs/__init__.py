"""One call and one function for each job, used by the command line, the worker and a library alike; no click in here."""
