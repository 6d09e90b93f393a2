"""What files may be dropped onto a 3D view and its side panel, and which operator deals with them.

Of endings that Blender's own importers take, too, such as pictures, Blender shows a menu of all choices.
"""

import bpy

from .importing import ENDINGS


class OverView:
    """A file handler of 3D views, their side panels included."""

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


class DNERF_FH_open(OverView, bpy.types.FileHandler):
    bl_idname = "DNERF_FH_open"
    bl_label = "DatasetNeRF model, subject or network"
    bl_import_operator = "dnerf.open_files"
    bl_file_extensions = ".safetensors"


class DNERF_FH_import(OverView, bpy.types.FileHandler):
    bl_idname = "DNERF_FH_import"
    bl_label = "DatasetNeRF cloud or mesh"
    bl_import_operator = "dnerf.import_files"
    bl_file_extensions = ";".join(ENDINGS)


class DNERF_FH_photo(OverView, bpy.types.FileHandler):
    bl_idname = "DNERF_FH_photo"
    bl_label = "DatasetNeRF: Invert Photo"
    bl_import_operator = "dnerf.drop_photo"
    bl_file_extensions = ".png;.jpg;.jpeg;.webp;.tif;.tiff;.bmp"


CLASSES = (DNERF_FH_open, DNERF_FH_import, DNERF_FH_photo)
