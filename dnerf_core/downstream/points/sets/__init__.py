"""Sets of labelled clouds on disk, whoever wrote them."""
