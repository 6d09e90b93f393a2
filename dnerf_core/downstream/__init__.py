"""Networks that learn from data sets: segmenters of images and of point clouds, and the file that keeps one."""
