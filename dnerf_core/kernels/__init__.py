"""Fused kernels for a CUDA device, in Triton: reading, decoding and compositing samples without tensors that hold them in between.

Plain torch (`dnerf_core.rendering.sample_reading.TorchSamples`) is the reference and the default. These have been checked against it in
Triton's interpreter and compiled for NVIDIA devices, but never run or timed on one, so they run only where they are asked for by name.
"""
