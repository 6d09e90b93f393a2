"""Pictures with exact masks made to look like photographs: backgrounds, light, lens, sensor and JPEG, each by a strength of its own.

Masks stay exact: nothing here moves the subject by a pixel. numpy and Pillow alone.
"""
