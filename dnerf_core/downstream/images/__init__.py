"""Segmenters of images: their networks, the data sets they learn from, training, prediction and ONNX."""
