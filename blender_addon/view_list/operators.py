"""What is done with the list of views: show one, take one or all of them off it."""

import bpy

from dnerf_core.errors import counted

from .. import session
from ..operators.base import LineOperator
from ..operators.views import image_editor_area
from ..scene.views import EXACT_DEPTH_PROPERTY, IMAGE_PROPERTY, SHOWN_DEPTH_PROPERTY, SHOWN_PROPERTY
from ..session import EXPECTED
from ..shown_views import KINDS, add_shown
from ..subjects import subject_token
from .images import images_of, let_go_of_unused, remove_unused, view_image
from .items import chosen_item, file_of, shown_view


class DNERF_OT_show_view(LineOperator, bpy.types.Operator):
    """Show the chosen view in an Image Editor; opens a window where there is none"""

    bl_idname = "dnerf.show_view"
    bl_label = "Show View"
    bl_options = {"INTERNAL"}

    kind: bpy.props.EnumProperty(
        items=[
            ("IMAGE", "Image", "The picture"),
            ("LABELS", "Labels", "The mask in its labels' colours"),
            ("OVERLAY", "Overlay", "The labels laid over the picture"),
            ("DEPTH", "Depth", "Planar depth"),
        ]
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        what = properties.bl_rna.properties["kind"].enum_items[properties.kind].description
        return f"{what}, of the chosen view, in an Image Editor; opens a window where there is none"

    def act(self, context: bpy.types.Context) -> None:
        item, kind = chosen_item(context.scene), KIND_OF_BUTTON[self.kind]
        image, fresh = view_image(item, kind, pack=context.scene.dnerf.pack_views)
        area = image_editor_area(context)
        area.spaces.active.image = image
        area.spaces.active.mode = "VIEW"
        let_go_of_unused(keep=image)
        if file := image.get(EXACT_DEPTH_PROPERTY):
            session.current().say(f"{image.name}: {image[SHOWN_DEPTH_PROPERTY]}; exact values in {file}")
        if item.folder and _is_of_subject(context.scene, item, kind):
            add_shown(context.scene, shown_view(item, kind))
        if fresh:
            session.undo_step("Show View")  # or undoing strokes on it would take the image itself away


KIND_OF_BUTTON = dict(zip(("IMAGE", "LABELS", "OVERLAY", "DEPTH"), KINDS, strict=True))


def _is_of_subject(scene: bpy.types.Scene, item: bpy.types.PropertyGroup, kind: str) -> bool:
    """Whether a view is of the scene's subject, whose edits its images follow."""
    try:
        return subject_token(scene) == shown_view(item, kind).subject
    except EXPECTED:  # the scene's subject file is gone, so that nothing is of it
        return False


class DNERF_OT_remove_view(LineOperator, bpy.types.Operator):
    """Take the chosen view off the list; its files stay in the folder, and images that are used or painted on in Blender"""

    bl_idname = "dnerf.remove_view"
    bl_label = "Remove from List"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        settings, item = context.scene.dnerf, chosen_item(context.scene)
        _let_go(item)
        name = item.name
        settings.view_items.remove(settings.view_index)
        settings.view_index = min(settings.view_index, len(settings.view_items) - 1)
        session.current().say(f"{name} is off the list; its files stay")


class DNERF_OT_clear_views(LineOperator, bpy.types.Operator):
    """Take all views off the list; their files stay in their folders, and images that are used or painted on in Blender"""

    bl_idname = "dnerf.clear_views"
    bl_label = "Remove All from List"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        settings = context.scene.dnerf
        for item in settings.view_items:
            _let_go(item)
        count = len(settings.view_items)
        settings.view_items.clear()
        settings.view_index = 0
        session.current().say(f"{counted(count, 'view')} off the list; their files stay")


def _let_go(item: bpy.types.PropertyGroup) -> None:
    """Remove a view's images where its files have all of them; those that are in the .blend file alone are the artist's now."""
    has_file = {item.name + kind: file_of(item, kind) is not None for kind in KINDS}
    images = images_of(item)
    for image in images:
        if not has_file.get(image.get(SHOWN_PROPERTY, image.name), False):
            del image[IMAGE_PROPERTY]
    remove_unused([image for image in images if IMAGE_PROPERTY in image])


CLASSES = (DNERF_OT_show_view, DNERF_OT_remove_view, DNERF_OT_clear_views)
