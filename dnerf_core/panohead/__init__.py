"""PanoHead (An et al., CVPR 2023, arXiv 2303.13071): heads from all around, by a tri-grid with a background of its own."""
