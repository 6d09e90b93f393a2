"""Pictures that tell of results: sheets, grids, strips and curves."""
