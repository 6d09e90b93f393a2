"""Networks that label the points of clouds: PointNet and PointNet++, how they are trained, and how a strange cloud is labelled."""
