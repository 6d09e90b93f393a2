"""DatasetNeRF's engine: a frozen EG3D generator plus a semantic branch, from latent to labelled, posed, 3D-consistent views.

Importing this package loads no torch; import the part you need (`from dnerf_core.model import Model`).
"""

__version__ = "0.1.0"
