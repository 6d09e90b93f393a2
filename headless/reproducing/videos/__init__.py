"""Videos of a report: their labels over time, scored and drawn."""
