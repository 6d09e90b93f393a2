"""What a .blend file keeps: everything the panel shows, under `scene.dnerf`."""

import bpy

from dnerf_core import job_ranges

from . import preview, session
from .composing.settings import CompositeSettings
from .data_set.settings import DataSetSettings
from .interchange.properties import InterchangeProperties
from .model_facts import EMBEDDED_MODELS, ModelSkeleton, known_facts
from .own_yaw import own_yaw_property, own_yaw_switch_property
from .places import PATH_OPTIONS
from .posing import changes
from .posing.rows import BoneRow, fill_rows, rows_fit
from .ranged import degrees_property, number_property, whole_property
from .view_list.items import ViewItem

USUAL_PITCH_DEG = 15.0
"""Where the switch to the model's own is off and nothing is chosen."""


def _model_changed(settings: "SceneProperties", context: bpy.types.Context) -> None:
    """What was said of another model does not hold."""
    settings.model_facts = ""


def _redraw(settings: "SceneProperties", context: bpy.types.Context) -> None:
    session.redraw()


def _is_armature(settings: "SceneProperties", item: bpy.types.Object) -> bool:
    return item.type == "ARMATURE"


def _armature_changed(settings: "SceneProperties", context: bpy.types.Context) -> None:
    """The map fills itself, unless the one that is there serves."""
    scene, armature = settings.id_data, settings.pose_armature
    settings.pose_armature_name = "" if armature is None else armature.name
    changes.note()
    facts = known_facts(scene)
    if armature is None or facts is None or facts.skeleton is None or rows_fit(scene, facts.skeleton, armature):
        session.redraw()
        return
    _fill(scene, facts.skeleton, armature)


def _facts_changed(settings: "SceneProperties", context: bpy.types.Context) -> None:
    """An armature that was chosen before the model was known gets its map; one that is there stays, whatever model it was made for."""
    scene, armature = settings.id_data, settings.pose_armature
    facts = known_facts(scene)
    if armature is not None and facts is not None and facts.skeleton is not None and not len(settings.pose_rows):
        changes.note()
        _fill(scene, facts.skeleton, armature)


def _fill(scene: bpy.types.Scene, skeleton: ModelSkeleton, armature: bpy.types.Object) -> None:
    try:
        session.current().say(fill_rows(scene, skeleton, armature))
    except session.EXPECTED as error:
        session.current().say(str(error), "ERROR")


def _pose_changed(settings: "SceneProperties", context: bpy.types.Context) -> None:
    changes.note()


def _preview_is_on(settings: "SceneProperties") -> bool:
    return preview.is_on(settings.id_data)


def _switch_preview(settings: "SceneProperties", on: bool) -> None:
    preview.switch(settings.id_data, on)


def _preview_is_here(settings: "SceneProperties") -> bool:
    return preview.is_shown_in(bpy.context.area)


def _show_preview_here(settings: "SceneProperties", shown: bool) -> None:
    preview.show_in(bpy.context.area, shown)


class AnnotationView(bpy.types.PropertyGroup):
    """A view of the annotated folder; `name` is its files'."""

    painted: bpy.props.BoolProperty()
    prefilled: bpy.props.BoolProperty()


class SceneProperties(InterchangeProperties, bpy.types.PropertyGroup):
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
    model_facts: bpy.props.StringProperty(options={"HIDDEN"}, update=_facts_changed)

    # subject
    seed: whole_property(job_ranges.SEED, "Seed")
    truncation: number_property(job_ranges.TRUNCATION, "Truncation")
    subject_file: bpy.props.StringProperty(
        name="Subject file",
        description="A subject that no seed gives, as Invert Photo, Apply Edit and the invert and edit commands write it; empty: the seed",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
        update=_redraw,
    )
    subjects_folder: bpy.props.StringProperty(
        name="Save to",
        description="Folder for new subject files; beside an unsaved .blend file the extension's own is taken",
        default="//dnerf/subjects",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )
    subject_steps: bpy.props.StringProperty(options={"HIDDEN"})

    # pose
    pose_armature: bpy.props.PointerProperty(
        name="Armature",
        description="Its bones move the subject; none: the subject keeps its own pose",
        type=bpy.types.Object,
        poll=_is_armature,
        update=_armature_changed,
    )
    pose_armature_name: bpy.props.StringProperty(options={"HIDDEN"})
    pose_rows: bpy.props.CollectionProperty(type=BoneRow)
    pose_row_index: bpy.props.IntProperty(name="Joint", options={"HIDDEN"})
    pose_object_motion: bpy.props.BoolProperty(
        name="Object Motion",
        description="Also where the armature object stands and how it is turned, against the subject's Empty; off: its bones alone",
        update=_pose_changed,
    )
    mesh_color: bpy.props.EnumProperty(
        name="Colours",
        items=[
            ("rgb", "Photo colours", "The vertices have the pictures' colours"),
            ("label", "Part colours", "The vertices have their labels' colours"),
        ],
    )
    mesh_separate: bpy.props.BoolProperty(name="An object a part", description="Each part becomes an object of its own")

    # edit
    edit_view: bpy.props.StringProperty(options={"HIDDEN"})
    edit_image: bpy.props.PointerProperty(type=bpy.types.Image, options={"HIDDEN"})
    edit_scores: bpy.props.StringProperty(options={"HIDDEN"})
    edit_steps: whole_property(job_ranges.EDIT_STEPS, "Steps", description="How long the edit is worked on", soft_max=1000)
    edit_keep_inside: number_property(
        job_ranges.KEEP_INSIDE,
        "Keep texture",
        description="How much the edited parts keep their colours away from what was painted; 0: only their shape counts",
        soft_max=10,
    )
    edit_margin_px: whole_property(job_ranges.MARGIN, "Margin", soft_max=64)
    edit_label_weight: number_property(
        job_ranges.LABEL_WEIGHT, "Labels", description="How much the painted labels count", soft_max=1000
    )
    edit_rgb_weight: number_property(
        job_ranges.RGB_WEIGHT, "Colours", description="How much all that is not edited keeps its colours", soft_max=1000
    )
    edit_perceptual_weight: number_property(
        job_ranges.PERCEPTUAL_WEIGHT,
        "Likeness",
        description="How much all that is not edited looks the same to a VGG16 network, whose file is named below; 0: not used",
        soft_max=1000,
    )
    edit_perceptual_file: bpy.props.StringProperty(
        name="VGG16", description="Its file, torchvision's vgg16-397923af.pth", subtype="FILE_PATH", options=PATH_OPTIONS
    )

    # cameras
    camera_path: bpy.props.EnumProperty(
        name="Path",
        items=[
            ("ARC", "Arc", "From the first turn to the last, both included"),
            ("ORBIT", "Orbit", "One full turn, at the first pitch"),
        ],
    )
    camera_count: whole_property(job_ranges.VIEWS, "Cameras", description="How many cameras")
    own_yaw: own_yaw_property(job_ranges.YAW)
    own_yaw_switch: own_yaw_switch_property()
    yaw_first_deg: degrees_property(job_ranges.YAW, "Yaw", 0, description="First turn, degrees")
    yaw_last_deg: degrees_property(job_ranges.YAW, "to", 1, description="Last turn, degrees")
    own_pitch: bpy.props.BoolProperty(name="Model's own pitch", description="Elevation as the model was trained", default=True)
    pitch_first_deg: degrees_property(
        job_ranges.PITCH, "Pitch", 0, default=USUAL_PITCH_DEG, description="First elevation, degrees"
    )
    pitch_last_deg: degrees_property(job_ranges.PITCH, "to", 1, default=USUAL_PITCH_DEG, description="Last elevation, degrees")

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
    view_items: bpy.props.CollectionProperty(type=ViewItem)
    view_index: bpy.props.IntProperty(name="View")
    has_view_list: bpy.props.BoolProperty(options={"HIDDEN"})
    pack_views: bpy.props.BoolProperty(
        name="Pack in .blend",
        description="Keep the views' images in the .blend file, too. Off: they are in the folder, and images are made when they are shown",
        default=False,
    )
    want_overlay: bpy.props.BoolProperty(
        name="Overlay", description="Also pack labels laid over the image; they can be shown in any case", default=True
    )
    want_depth: bpy.props.BoolProperty(name="Depth", description="Also planar depth", default=True)
    size_px: whole_property(
        job_ranges.RESOLUTION, "Size", description="Side of the path's views, pixels", left_open="the model's own"
    )
    views_folder: bpy.props.StringProperty(
        name="Save to",
        description="Folder for images, masks, depth, cameras and labels",
        default="//dnerf/views",
        subtype="DIR_PATH",
        options=PATH_OPTIONS,
    )

    # the subject in the scene
    composite: bpy.props.PointerProperty(type=CompositeSettings)

    # data set
    data_set: bpy.props.PointerProperty(type=DataSetSettings)

    # point cloud
    cloud_source: bpy.props.EnumProperty(
        name="From",
        items=[
            ("AROUND", "All around", "Views from all around the subject, or as far round as the model was trained"),
            ("SELECTED", "Selected cameras", "What the selected cameras see"),
        ],
    )
    cloud_views: whole_property(job_ranges.CLOUD_VIEWS, "Views", description="Views that are fused", soft_max=200)
    cloud_points: whole_property(
        job_ranges.POINTS, "Most points", description="Thin the cloud to this many points", left_open="keep all"
    )
    cloud_painted: bpy.props.BoolProperty(
        name="Painted labels", description="Labels from the painted masks of the annotation folder, not from the model"
    )
    network_file: bpy.props.StringProperty(
        name="Network",
        description="A network file of points, which dnerf-headless train-pointnet wrote",
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
    annotation_subjects: whole_property(
        job_ranges.SAMPLED_SUBJECTS, "Subjects", description="How many seeds, from 0", soft_max=1000
    )
    annotation_views: whole_property(job_ranges.VIEWS, "Views each", soft_max=100)
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
    training_steps: whole_property(job_ranges.TRAIN_STEPS, "Steps", description="Training steps", soft_max=10_000)
    allow_missing_labels: bpy.props.BoolProperty(
        name="Allow missing labels", description="Train although some labels are painted nowhere yet (--allow-missing-classes)"
    )
    trained_path: bpy.props.StringProperty(
        name="Save to",
        description="The model file that Train writes",
        default="//dnerf/labelled.safetensors",
        subtype="FILE_PATH",
        options=PATH_OPTIONS,
    )

    # live preview: kept by this Blender, not in the file
    live_preview: bpy.props.BoolProperty(
        name="Live preview",
        description="Show the subject in every viewport of this scene, from where each looks",
        get=_preview_is_on,
        set=_switch_preview,
    )
    preview_here: bpy.props.BoolProperty(
        name="Here",
        description="Show it in this viewport, too",
        get=_preview_is_here,
        set=_show_preview_here,
    )
    preview_mask: bpy.props.BoolProperty(name="Labels", description="Lay the labels over the preview", default=False)
    preview_size_px: whole_property(
        job_ranges.RESOLUTION,
        "Preview size",
        description="Side of the preview, pixels",
        left_open="the model's own",
        soft_max=1024,
    )


CLASSES = (AnnotationView, BoneRow, CompositeSettings, DataSetSettings, ViewItem, SceneProperties)
