"""What lasts longer than a click: datablocks that are found again, timers, the job that runs, the modules of one version."""
