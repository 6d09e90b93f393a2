"""Heads on frozen networks that painted views teach: transfer learning and foundation features."""
