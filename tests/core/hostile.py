"""Writes EG3D releases, opcode by opcode, and every kind of hostile pickle that the reader must refuse.

Nothing here is imported from torch or from the published code: a release is bytes, and so is an attack on its reader.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dnerf_core.checkpoints.expected_shapes import FILTER_TAPS, expected_shapes, is_filter
from dnerf_core.generator.config import (
    ORBITS,
    PRESETS,
    BackboneConfig,
    GeneratorConfig,
    MappingConfig,
    RayConfig,
    SuperResolutionConfig,
    TriplaneConfig,
)

TRAP_SOURCE = "raise SystemExit('embedded source was executed')\n"

NARROW = GeneratorConfig(
    name="narrow",
    image_size=128,
    mapping=MappingConfig(z_dim=8, w_dim=8),
    backbone=BackboneConfig(channel_base=256, channel_max=4),
    triplane=TriplaneConfig(box_warp=1.6),
    rays=RayConfig(16, 4, 4, 0.1, 2.6, white_back=True),
    superresolution=SuperResolutionConfig(kind="2X"),
    cameras=PRESETS["shapenetcars128-64"].cameras,
)
"""A whole generator of little weight: about 2 MB."""


# Opcodes


@dataclass(frozen=True)
class Raw:
    """Opcodes that leave one value on the stack, put where a value is expected."""

    opcodes: bytes


def text(value: str) -> bytes:
    """A string."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(module: str, attribute: str) -> bytes:
    """A global, by STACK_GLOBAL."""
    return text(module) + text(attribute) + b"\x93"


def call(target: bytes, *arguments: Any) -> bytes:
    """REDUCE: `target(*arguments)`."""
    return target + dump(tuple(arguments)) + b"R"


def dump(value: Any) -> bytes:
    """The opcodes that make a value: plain data, Raw, Module, float64 scalars and float32 arrays (as tensors)."""
    return b"".join(_pieces(value))


def _pieces(value: Any) -> Iterator[bytes]:  # noqa: PLR0912  (one arm a type)
    match value:
        case Raw():
            yield value.opcodes
        case None:
            yield b"N"
        case bool():
            yield b"\x88" if value else b"\x89"
        case np.float64():
            state = dump((3, "<", None, None, None, -1, -1, 0))
            kind = Raw(call(name("numpy", "dtype"), "f8", False, True) + state + b"b")
            yield call(name("numpy.core.multiarray", "scalar"), kind, struct.pack("<d", value))
        case int():
            yield b"J" + struct.pack("<i", value)
        case float():
            yield b"G" + struct.pack(">d", value)
        case str():
            yield text(value)
        case bytes():
            yield b"B" + struct.pack("<I", len(value)) + value
        case tuple():
            yield b"(" + b"".join(dump(part) for part in value) + b"t"
        case list():
            yield b"](" + b"".join(dump(part) for part in value) + b"e"
        case set():
            yield b"\x8f(" + b"".join(dump(part) for part in sorted(value)) + b"\x90"
        case dict():
            yield b"}("
            for key, item in value.items():
                yield dump(key)
                yield from _pieces(item)
            yield b"u"
        case np.ndarray():
            yield tensor(storage(np.ascontiguousarray(value, "<f4").tobytes()), value.shape)
        case Module():
            yield from value.pieces()
        case _:
            raise TypeError(type(value).__name__)


def pickled(value: Any) -> bytes:
    """A whole pickle of protocol 4."""
    return b"\x80\x04" + dump(value) + b"."


# Tensors

NESTED_HEAD = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."


def nested_file(
    elements: bytes,
    *,
    count: int | None = None,
    kind: bytes = b"ctorch\nFloatStorage\n",
    description: bytes | None = None,
    head: bytes = NESTED_HEAD,
) -> bytes:
    """The torch file of a storage; `count` is what it claims to hold, `description` replaces its fourth pickle's value."""
    claimed = len(elements) // 4 if count is None else count
    system = dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}})
    long_count = b"\x8a\x08" + struct.pack("<q", claimed)
    told = description or b"(" + text("storage") + kind + text("94652143048624") + text("cpu") + long_count + b"NtQ"
    keys = dump(["94652143048624"])
    pickles = b"".join(b"\x80\x02" + part + b"." for part in (system, told, keys))
    return head + pickles + struct.pack("<q", claimed) + elements


def storage(elements: bytes, **changes: Any) -> bytes:
    """A storage as a release holds it; `changes` go to `nested_file`."""
    return call(name("torch.storage", "_load_from_bytes"), nested_file(elements, **changes))


def tensor(held: bytes, shape: tuple[int, ...], stride: tuple[int, ...] | None = None, offset: int = 0) -> bytes:
    """A tensor on the storage that the opcodes `held` make."""
    steps = stride if stride is not None else tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    return call(name("torch._utils", "_rebuild_tensor_v2"), Raw(held), offset, shape, steps, False, ORDERED)


ORDERED = Raw(name("collections", "OrderedDict") + b")R")
"""An empty OrderedDict."""


def ordered(items: Mapping[str, Any]) -> Raw:
    """An OrderedDict with items."""
    return Raw(ORDERED.opcodes + dump(dict(items))[1:]) if items else ORDERED


# Modules


def instance(module: str, attribute: str, state: Any = None, *arguments: Any, **named: Any) -> Raw:
    """An object by NEWOBJ, or by NEWOBJ_EX where it has named arguments, and BUILD."""
    made = dump(arguments) + (dump(named) + b"\x92" if named else b"\x81")
    return Raw(name(module, attribute) + made + dump(state) + b"b")


PLAIN = {
    "Sequential": "torch.nn.modules.container",
    "Softplus": "torch.nn.modules.activation",
    "ImportanceRenderer": "training.volumetric_rendering.renderer",
    "MipRayMarcher2": "training.volumetric_rendering.ray_marcher",
    "RaySampler": "training.volumetric_rendering.ray_sampler",
    "OSGDecoder": "training.triplane",
    "SMPL": "smplx.body_models",
    "VertexJointSelector": "smplx.vertex_joint_selector",
    "SMPLSimplified": "warping_utils.smpl_helper",
    "SurfaceField": "warping_utils.surface_field",
}


@dataclass
class Module:
    """A module of a release: persistent unless its class is one of PLAIN and nothing else is said."""

    class_name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    buffers: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    version: int = 6
    is_persistent: bool = False

    def at(self, path: str) -> Module:
        """The module of a dotted name below this one."""
        found = self
        for part in path.split("."):
            found = found.modules[part]
        return found

    def add(self, key: str, array: np.ndarray) -> None:
        """Puts a tensor at its dotted name, making the modules on the way."""
        first, _, rest = key.partition(".")
        if rest:
            self.modules.setdefault(first, Module("FullyConnectedLayer")).add(rest, array)
        elif first in ("resample_filter", "noise_const", "w_avg"):
            self.buffers[first] = array
        else:
            self.parameters[first] = array

    def pieces(self) -> Iterator[bytes]:
        """Its opcodes in pieces, so that a large network is not joined more often than needed."""
        state: dict[str, Any] = {
            "training": False,
            "_parameters": Raw(ordered({k: _parameter(v) for k, v in self.parameters.items()}).opcodes),
            "_buffers": ordered(self.buffers),
            "_non_persistent_buffers_set": set(),
            "_modules": ordered(self.modules),
            **self.attributes,
        }
        if self.class_name in PLAIN and not self.is_persistent:
            yield name(PLAIN[self.class_name], self.class_name) + b")\x81"
            yield from _pieces(state)
            yield b"b"
        else:
            meta = {"type": "class", "version": self.version, "module_src": TRAP_SOURCE, "class_name": self.class_name}
            yield name("torch_utils.persistence", "_reconstruct_persistent_obj")
            yield from _pieces({**meta, "state": state})
            yield b"\x85R"


def _parameter(array: Any) -> Raw:
    return Raw(call(name("torch._utils", "_rebuild_parameter"), Raw(dump(array)), False, ORDERED))


# Releases


@functools.cache
def _weights(config: GeneratorConfig, scale: float) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    made = {}
    for key, shape in expected_shapes(config).items():
        values = np.outer(FILTER_TAPS, FILTER_TAPS) / 64 if is_filter(key) else random.standard_normal(shape, np.float32) * scale
        made[key] = np.asarray(values, np.float32)
    return made


def weights(config: GeneratorConfig, scale: float = 0.1) -> dict[str, np.ndarray]:
    """Random weights and the right filters, by published key name; fresh copies, free to change."""
    return {key: array.copy() for key, array in _weights(config, scale).items()}


def rendering_options(config: GeneratorConfig) -> dict[str, Any]:
    """`rendering_kwargs` as a release holds them."""
    own = config.cameras.radius, config.cameras.pivot
    radius, pivot = next((ORBITS[name] for name, known in PRESETS.items() if known.cameras == config.cameras), own)
    return {
        "disparity_space_sampling": False,
        "clamp_mode": "softplus",
        "c_gen_conditioning_zero": config.mapping.c_zero,
        "gpc_reg_prob": 0.8,
        "c_scale": config.mapping.c_scale,
        "superresolution_noise_mode": config.superresolution.noise_mode,
        "density_reg": 0.25,
        "decoder_lr_mul": config.triplane.decoder_lr_mul,
        "sr_antialias": config.superresolution.antialias,
        "superresolution_module": f"training.superresolution.SuperresolutionHybrid{config.superresolution.kind}",
        "image_resolution": config.image_size,
        "depth_resolution": config.rays.samples_coarse,
        "depth_resolution_importance": config.rays.samples_fine,
        "ray_start": config.rays.ray_start,
        "ray_end": config.rays.ray_end,
        "box_warp": config.triplane.box_warp,
        "white_back": config.rays.white_back,
        "avg_camera_radius": radius,
        "avg_camera_pivot": list(pivot),
    }


def plane_bases(config: GeneratorConfig) -> np.ndarray:
    """[3, 3, 3]: per plane the rows width axis, height axis, normal."""
    unit = dict(zip("xyz", np.eye(3, dtype=np.float32), strict=True))
    return np.stack([np.stack([unit[a], unit[b], unit[({"x", "y", "z"} - {a, b}).pop()]]) for a, b in config.triplane.plane_axes])


def network(config: GeneratorConfig, arrays: Mapping[str, np.ndarray] | None = None) -> Module:
    """A TriPlaneGenerator of the given config, as a release holds it; change it before dumping to make a bad one."""
    mapping, backbone = config.mapping, config.backbone
    root = Module("TriPlaneGenerator")
    for key, array in (arrays or weights(config)).items():
        root.add(key, array)
    root.attributes = {
        **{"z_dim": mapping.z_dim, "c_dim": mapping.c_dim, "w_dim": mapping.w_dim, "img_resolution": config.image_size},
        "neural_rendering_resolution": config.rays.neural_resolution,
        "rendering_kwargs": rendering_options(config),
        "_init_kwargs": {
            "sr_num_fp16_res": 4 if config.superresolution.conv_clamp else 0,
            "channel_base": backbone.channel_base,
            "channel_max": backbone.channel_max,
            "conv_clamp": backbone.conv_clamp,
        },
    }
    root.at("backbone").attributes = {"img_resolution": backbone.resolution, "img_channels": 3 * backbone.plane_channels}
    root.at("superresolution").class_name = f"SuperresolutionHybrid{config.superresolution.kind}"
    root.at("decoder").class_name, root.at("decoder.net").class_name = "OSGDecoder", "Sequential"
    root.at("decoder.net").modules["1"] = Module("Softplus", {"beta": 1, "threshold": 20})
    root.modules["renderer"] = Module("ImportanceRenderer", {"plane_axes": plane_bases(config)})
    root.modules["ray_sampler"] = Module("RaySampler")
    for layer in range(mapping.layers):
        root.at(f"backbone.mapping.fc{layer}").attributes = {"weight_gain": np.float64(0.01), "bias_gain": 0.01}
    for prefix, clamp in (("backbone.synthesis", backbone.conv_clamp), ("superresolution", config.superresolution.conv_clamp)):
        for block in root.at(prefix).modules.values():
            block.class_name, block.attributes = "SynthesisBlock", {"architecture": "skip"}
            for layer_name, layer_module in block.modules.items():
                layer_module.class_name = "ToRGBLayer" if layer_name == "torgb" else "SynthesisLayer"
                layer_module.attributes = {"conv_clamp": clamp, "act_gain": np.float64(2**0.5)}
    return root


def release(ema: bytes | Module, **extra: Any) -> bytes:
    """A whole release round a G_ema (a Module or its opcodes); `extra` entries come first, so they are read first."""
    value = Raw(ema) if isinstance(ema, bytes) else ema
    settings = Raw(name("dnnlib.util", "EasyDict") + b")\x81" + dump({"resolution": 512})[1:])
    return pickled({**extra, "training_set_kwargs": settings, "augment_pipe": extra.get("augment_pipe"), "G_ema": value})


# Attacks: opcodes for one value, put into an otherwise good release


def system_call(command: str) -> bytes:
    """os.system(command), by the GLOBAL opcode."""
    return call(b"cos\nsystem\n", command)


def evaluation(expression: str) -> bytes:
    """builtins.eval(expression)."""
    return call(name("builtins", "eval"), expression)


def memoised_system_call(command: str) -> bytes:
    """posix.system(command), its two names fetched from the memo in another order than they were stored."""
    stored = text("system") + b"r\x00\x10\x00\x00" + text("posix") + b"r\x01\x10\x00\x00"
    fetched = b"j\x01\x10\x00\x00" + b"j\x00\x10\x00\x00" + b"\x93"
    return b"(" + stored + call(fetched, command) + b"t"


def attribute_chain(command: str) -> bytes:
    """getattr(getattr(OrderedDict, '__init__'), '__globals__')... and on to a call, starting from an allowed global."""
    getter = name("builtins", "getattr")
    first = call(getter, Raw(name("collections", "OrderedDict")), "__reduce__")
    return call(call(getter, Raw(first), "__globals__"), command)


def dotted_name() -> bytes:
    """An attribute chain inside a global's name, which pickle protocol 4 follows."""
    return name("collections", "OrderedDict.__init__.__globals__")


def nested_lists(depth: int) -> bytes:
    """[[[...]]] as the pickler writes it."""
    return b"](" * depth + b"e" * depth


def nested_tuples(depth: int) -> bytes:
    """((((),),),) without ever having more than one value on the stack."""
    return b")" + b"\x85" * depth


def nested_key(depth: int) -> bytes:
    """A dictionary whose key is `nested_tuples`: hashing it recurses in C."""
    return b"}" + nested_tuples(depth) + b"Ns"


def nested_modules(depth: int) -> bytes:
    """Persistent objects, each in the state of the next."""
    head = name("torch_utils.persistence", "_reconstruct_persistent_obj") + b"}("
    fields = dump({"type": "class", "version": 6, "module_src": "", "class_name": "A"})[2:-1] + text("state") + b"}" + text("m")
    return (head + fields) * depth + b"N" + b"su\x85R" * depth


def memo_bomb(levels: int) -> bytes:
    """Lists of two references to the list before: 2 ** levels leaves, if anyone walked them, in 17 bytes a level."""
    bomb = b"(]r" + struct.pack("<I", 4096)
    for index in range(4096, 4096 + levels):
        reference = b"j" + struct.pack("<I", index)
        bomb += b"]r" + struct.pack("<I", index + 1) + b"(" + 2 * reference + b"e"
    return bomb + b"t"
