"""The frozen 3D-aware generator: EG3D (Chan et al., CVPR 2022) written from its paper."""
