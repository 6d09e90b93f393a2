"""What a .blend file keeps: everything the panel shows, under `scene.dnerf`."""

import bpy

from . import preview, session
from .model_facts import EMBEDDED_MODELS
from .own_yaw import own_yaw_property, own_yaw_switch_property

PATH_OPTIONS = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
"""`//` paths; before 4.5 every path could be one, and the option was not known."""

MAX_SEED = 2**31 - 1  # Blender's integers are signed


def _model_changed(settings: "SceneProperties", context: bpy.types.Context) -> None:
    """What was said of another model does not hold."""
    settings.model_facts = ""


def _redraw(settings: "SceneProperties", context: bpy.types.Context) -> None:
    session.redraw()


def _preview_is_on(settings: "SceneProperties") -> bool:
    return preview.is_on(settings.id_data)


def _switch_preview(settings: "SceneProperties", on: bool) -> None:
    preview.switch(settings.id_data, on)


class AnnotationView(bpy.types.PropertyGroup):
    """A view of the annotated folder; `name` is its files'."""

    painted: bpy.props.BoolProperty()
    prefilled: bpy.props.BoolProperty()


class SceneProperties(bpy.types.PropertyGroup):
    """The panel's settings of one scene."""

    # model
    model_kind: bpy.props.EnumProperty(
        name="Model",
        items=[
            ("EMBEDDED", "Embedded", "A model that comes with the engine"),
            ("FILE", "File", "A .safetensors model file"),
        ],
        update=_model_changed,
    )
    embedded_model: bpy.props.EnumProperty(
        name="Embedded model",
        items=[(name, name, f"The embedded model {name}") for name in EMBEDDED_MODELS],
        update=_model_changed,
    )
    model_path: bpy.props.StringProperty(
        name="Model file",
        description="A model file, as import and train write it",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
        update=_model_changed,
    )
    model_facts: bpy.props.StringProperty(options={"HIDDEN"})

    # subject
    seed: bpy.props.IntProperty(name="Seed", description="Which subject", min=0, max=MAX_SEED, default=0)
    truncation: bpy.props.FloatProperty(
        name="Truncation",
        description="1 leaves subjects as they are, 0 is the mean subject",
        min=0.0,
        max=2.0,
        default=1.0,
    )
    subject_file: bpy.props.StringProperty(
        name="Subject file",
        description="A subject that no seed gives, as Invert Photo, Apply Edit and the invert and edit commands write it; empty: the seed",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
        update=_redraw,
    )
    subjects_folder: bpy.props.StringProperty(
        name="New files",
        description="Folder for new subject files; beside an unsaved .blend file the extension's own is taken",
        default="//dnerf/subjects",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    subject_steps: bpy.props.StringProperty(options={"HIDDEN"})

    # edit
    edit_view: bpy.props.StringProperty(options={"HIDDEN"})
    edit_scores: bpy.props.StringProperty(options={"HIDDEN"})
    edit_steps: bpy.props.IntProperty(
        name="Steps", description="How long the edit is worked on; 0: the engine's own number", min=0, max=10000, default=0
    )
    edit_keep_inside: bpy.props.FloatProperty(
        name="Keep texture",
        description="How much the edited parts keep their colours away from what was painted; 0: only their shape counts",
        min=0,
        max=10,
        default=0.5,
    )
    edit_margin_px: bpy.props.IntProperty(
        name="Margin", description="How far round the edited parts everything may change, pixels", min=0, max=64, default=4
    )
    edit_label_weight: bpy.props.FloatProperty(
        name="Labels", description="How much the painted labels count", min=0.01, max=1000, default=1
    )
    edit_rgb_weight: bpy.props.FloatProperty(
        name="Colours", description="How much all that is not edited keeps its colours", min=0, max=1000, default=10
    )
    edit_perceptual_weight: bpy.props.FloatProperty(
        name="Likeness",
        description="How much all that is not edited looks the same to a VGG16 network, whose file is named below; 0: not used",
        min=0,
        max=1000,
        default=0,
    )
    edit_perceptual_file: bpy.props.StringProperty(
        name="VGG16 file", description="torchvision's vgg16-397923af.pth", subtype="FILE_PATH", options=PATH_OPTIONS
    )

    # cameras
    camera_path: bpy.props.EnumProperty(
        name="Path",
        items=[
            ("ARC", "Arc", "From the first turn to the last, both included"),
            ("ORBIT", "Orbit", "One full turn, at the first pitch"),
        ],
    )
    camera_count: bpy.props.IntProperty(name="Cameras", description="How many cameras", min=1, max=10000, default=3)
    own_yaw: own_yaw_property("-30 to 30 degrees")
    own_yaw_switch: own_yaw_switch_property()
    yaw_first_deg: bpy.props.FloatProperty(name="Yaw", description="First turn, degrees", min=-360, max=360, default=-30)
    yaw_last_deg: bpy.props.FloatProperty(name="to", description="Last turn, degrees", min=-360, max=360, default=30)
    own_pitch: bpy.props.BoolProperty(name="Model's own pitch", description="Elevation as the model was trained", default=True)
    pitch_first_deg: bpy.props.FloatProperty(name="Pitch", description="First elevation, degrees", min=-90, max=90, default=15)
    pitch_last_deg: bpy.props.FloatProperty(name="to", description="Last elevation, degrees", min=-90, max=90, default=15)

    # views
    shown_views: bpy.props.StringProperty(options={"HIDDEN"})
    view_source: bpy.props.EnumProperty(
        name="From",
        items=[
            ("ARC", "The path", "The cameras of the path above, whether they are placed or not"),
            ("SELECTED", "Selected cameras", "Every camera that is selected"),
            ("ACTIVE", "Active camera", "The scene's camera, at the current frame"),
        ],
    )
    want_overlay: bpy.props.BoolProperty(name="Overlay", description="Also labels laid over the image", default=True)
    want_depth: bpy.props.BoolProperty(name="Depth", description="Also planar depth", default=True)
    size_px: bpy.props.IntProperty(
        name="Size", description="Side of the path's views, pixels; 0: the model's own", min=0, max=4096, default=0
    )
    views_folder: bpy.props.StringProperty(
        name="Save to",
        description="Folder for images, masks, depth, cameras and labels",
        default="//dnerf/views",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )

    # label video
    video_folder: bpy.props.StringProperty(
        name="Save to",
        description="Folder for the sequence and the videos",
        default="//dnerf/videos",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    into_sequencer: bpy.props.BoolProperty(
        name="Into the sequencer", description="Add the videos to the sequencer when they are done", default=False
    )

    # point cloud
    cloud_source: bpy.props.EnumProperty(
        name="From",
        items=[
            ("AROUND", "All around", "Views from all around the subject, or as far round as the model was trained"),
            ("SELECTED", "Selected cameras", "What the selected cameras see"),
        ],
    )
    cloud_views: bpy.props.IntProperty(name="Views", description="Views that are fused", min=1, max=200, default=8)
    cloud_points: bpy.props.IntProperty(
        name="Most points", description="Thin the cloud to this many points; 0: keep all", min=0, max=5_000_000, default=0
    )
    cloud_painted: bpy.props.BoolProperty(
        name="Painted labels", description="Labels from the painted masks of the annotation folder, not from the model"
    )
    export_path: bpy.props.StringProperty(
        name="Export to",
        description="A .ply or .npz file",
        default="//dnerf/cloud.ply",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
    )

    # annotate
    annotation_folder: bpy.props.StringProperty(
        name="Folder",
        description="Images, masks and cameras to paint",
        default="//dnerf/annotations",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    annotation_labels: bpy.props.StringProperty(
        name="Labels", description="Names of the parts, with commas; empty: those of the model", default=""
    )
    annotation_subjects: bpy.props.IntProperty(
        name="Subjects", description="How many seeds, from 0", min=1, max=10000, default=30
    )
    annotation_views: bpy.props.IntProperty(name="Views each", description="Views of each subject", min=1, max=100, default=3)
    annotation_items: bpy.props.CollectionProperty(type=AnnotationView)
    annotation_index: bpy.props.IntProperty(name="View")
    painted_label_id: bpy.props.IntProperty(default=1, options={"HIDDEN"})
    picture_share: bpy.props.FloatProperty(
        name="Picture",
        description="How much of the picture is laid over the mask; the mask stays as it is",
        min=0,
        max=1,
        default=0.5,
        update=_redraw,
    )
    annotation_label_set: bpy.props.StringProperty(options={"HIDDEN"})
    training_steps: bpy.props.IntProperty(
        name="Steps", description="Training steps; 0: the engine's own number", min=0, max=1_000_000, default=0
    )
    allow_missing_labels: bpy.props.BoolProperty(
        name="Allow missing labels", description="Train although some labels are painted nowhere yet (--allow-missing-classes)"
    )
    trained_path: bpy.props.StringProperty(
        name="New model",
        description="The model file that Train writes",
        default="//dnerf/labelled.safetensors",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
    )

    # live preview: kept by this Blender, not in the file
    live_preview: bpy.props.BoolProperty(
        name="Live preview",
        description="Show the subject over the viewport, from where you look",
        get=_preview_is_on,
        set=_switch_preview,
    )
    preview_mask: bpy.props.BoolProperty(name="Labels", description="Lay the labels over the preview", default=False)
    preview_size_px: bpy.props.IntProperty(
        name="Preview size", description="Side of the preview, pixels; 0: the model's own", min=0, max=1024, default=0
    )


CLASSES = (AnnotationView, SceneProperties)
