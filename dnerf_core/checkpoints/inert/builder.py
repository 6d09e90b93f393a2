"""The closed list of names that a checkpoint may hold, and the inert record that each stands for.

A checkpoint asks its reader to call functions, and an EG3D release even to run Python source that it carries. Here every name on the
list becomes data: the source text is dropped, persistent objects and modules become a class name with their attributes, tensors become
views into the file. Classes of the release's own code that the generator does not need become a name alone. Any other name is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from dnerf_core.checkpoints.inert.nested_storage import read_nested_storage
from dnerf_core.checkpoints.inert.numpy_numbers import NumberType, array, array_of_buffer, fill, know, number, number_type
from dnerf_core.checkpoints.inert.pickle_machine import DamagedPickleError, LongText, MalformedPickleError, checked_set, shown
from dnerf_core.checkpoints.inert.records import (
    ELEMENTS,
    ArrayRecord,
    Element,
    ForeignRecord,
    GlobalName,
    ModuleRecord,
    StorageRecord,
    TensorRecord,
    is_extent,
    tensor_record,
)

MAX_STORAGES = 20_000
PERSISTENCE_VERSION = 6

_NUMPY_CORE = ("numpy.core", "numpy._core")
"""Where numpy 1 and numpy 2 keep what a pickle names."""

_BUILTINS = ("builtins", "__builtin__")
"""The same module in protocols 3 and later, and in protocol 2."""

_PLAIN_MODULES = {
    *(f"torch.nn.modules.{name}" for name in ("container.Sequential", "container.ModuleList", "container.ModuleDict")),
    *(f"torch.nn.modules.{name}" for name in ("activation.Softplus", "linear.Identity")),
    *(f"training.volumetric_rendering.{name}" for name in ("renderer.ImportanceRenderer", "ray_marcher.MipRayMarcher2")),
    "training.volumetric_rendering.ray_sampler.RaySampler",
    *(f"training.triplane.{name}" for name in ("OSGDecoder", "TriPlaneGenerator")),
    *(f"training.networks_stylegan2.{name}" for name in ("Generator", "MappingNetwork", "SynthesisNetwork", "SynthesisBlock")),
    *(f"training.networks_stylegan2.{name}" for name in ("SynthesisLayer", "ToRGBLayer", "FullyConnectedLayer")),
    *("smplx.body_models.SMPL", "smplx.vertex_joint_selector.VertexJointSelector"),
    *("warping_utils.smpl_helper.SMPLSimplified", "warping_utils.surface_field.SurfaceField"),
    *(f"training.superresolution.SuperresolutionHybrid{kind}" for kind in ("8XDC", "8X", "4X", "2X", "16X")),
}
"""Modules that the generator is made of: an object of one keeps its attributes."""

_OWN_CODE = re.compile(r"(training|torch_utils|dnnlib|torch\.nn\.modules|warping_utils|smplx)(\.[A-Za-z_]\w*)*", re.ASCII)
"""Modules that the networks of EG3D and of its relatives are made of: of their other classes a name is kept."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)

_NAMED = {f"torch.{name}" for name in ("float16", "float32", "float64", "bfloat16", "int32", "int64", "uint8", "bool")} | {
    f"numpy.{name}" for name in ("float16", "float32", "float64", "int32", "int64", "uint8", "bool_")
}
"""Types that are only named."""

_SETTINGS = {"argparse.Namespace": "a dictionary"}
"""Objects that only carry attributes."""

_PATHS = {
    f"{module}.{kind}" for module in ("pathlib", "pathlib._local") for kind in ("PosixPath", "WindowsPath", "PurePosixPath")
}


class InertBuilder:
    """Makes records of what a checkpoint's pickle names; nothing is called.

    Attributes:
        storages: the sizes of torch's storages by key, told by the pickles of a torch file.
    """

    def __init__(self, storages: Callable[[str], memoryview] | None = None) -> None:
        """`storages` finds the bytes of a torch file's storage by its key, once the pickles are read; None: a plain pickle."""
        self._reducers: dict[str, Callable[[tuple[Any, ...]], Any]] = {
            "torch_utils.persistence._reconstruct_persistent_obj": self._persistent_object,
            "collections.OrderedDict": self._ordered_dict,
            "torch._utils._rebuild_tensor": self._tensor_of_old,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": self._parameter,
            "torch._utils._rebuild_parameter_with_state": self._parameter_with_state,
            "torch.Size": self._size,
            "torch.device": self._plain_text,
            "numpy.dtype": number_type,
            "_codecs.encode": self._encoded,
        }
        for core in _NUMPY_CORE:
            self._reducers[f"{core}.multiarray.scalar"] = number
            self._reducers[f"{core}.multiarray._reconstruct"] = array
            self._reducers[f"{core}.numeric._frombuffer"] = array_of_buffer
        for builtins in _BUILTINS:
            self._reducers[f"{builtins}.set"] = self._set
            self._reducers[f"{builtins}.bytes"] = self._bytes
            self._reducers[f"{builtins}.bytearray"] = self._bytes
        self._find_storage = storages
        if storages is None:
            self._reducers["torch.storage._load_from_bytes"] = self._storage
        else:
            self._reducers["torch.nn.parameter.Parameter"] = self._bare_parameter
        self._count = 0
        self.storages: dict[str, tuple[Element, int]] = {}
        self._names = {*self._reducers, *_PLAIN_MODULES, *_NAMED, *_SETTINGS, *_PATHS, "dnnlib.util.EasyDict", "numpy.ndarray"}
        if storages is not None:
            self._names |= set(ELEMENTS)

    def find_global(self, module: str, name: str) -> GlobalName | ForeignRecord:
        full = f"{module}.{name}"
        # The dot between the two must be the given one: "a" + "b.c" would be an attribute chain.
        if _IDENTIFIER.fullmatch(name):
            if full in self._names:
                return GlobalName(full)
            if _OWN_CODE.fullmatch(module):
                return ForeignRecord(full)
        raise MalformedPickleError(f"names the global {shown(full)}, which no generator's checkpoint needs")

    def persistent(self, identifier: Any) -> Any:
        if self._find_storage is None:
            raise MalformedPickleError("refers to a persistent id, which no generator's checkpoint does")
        if type(identifier) is tuple and len(identifier) >= 2:
            label, kind = identifier[:2]
            # torch's legacy format puts a module's class beside the text of its source, which nobody reads here.
            if label == "module" and type(kind) in (GlobalName, ForeignRecord) and len(identifier) == 4:
                return kind
            if label == "storage" and type(kind) is GlobalName and kind.name in ELEMENTS and len(identifier) in (5, 6):
                key, _, count = identifier[2:5]
                if type(key) is str and type(count) is int and 0 <= count < 2**40 and identifier[5:] in ((), (None,)):
                    return self._named_storage(key, ELEMENTS[kind.name], count)
        raise MalformedPickleError("refers to something that is no storage of torch")

    def reduce(self, target: Any, args: Any) -> Any:
        if type(target) is ForeignRecord:
            return target
        reducer = self._reducers.get(target.name) if type(target) is GlobalName else None
        if type(target) is GlobalName and target.name in _PATHS and type(args) is tuple:
            return self._path(args)
        if reducer is None or type(args) is not tuple:
            raise MalformedPickleError(f"calls {_named(target)} in a way no generator's checkpoint does")
        return reducer(args)

    def new_object(self, target: Any, args: Any, named: Any = None) -> Any:
        if type(target) is ForeignRecord:
            return target
        if type(target) is GlobalName and type(args) is tuple and not args and named is None:
            if target.name == "dnnlib.util.EasyDict":
                return {}
            if target.name in _SETTINGS:
                return ModuleRecord(target.name)
            if target.name in _PLAIN_MODULES:
                return ModuleRecord(target.name.rpartition(".")[2])
        if type(target) is GlobalName and self._find_storage is not None and target.name in self._reducers and named is None:
            return self.reduce(target, args)
        raise MalformedPickleError(f"makes an object of {_named(target)} in a way no generator's checkpoint does")

    def build(self, target: Any, state: Any) -> None:
        if type(target) is ForeignRecord:
            return
        if type(target) is ModuleRecord and not target.is_built and type(state) is dict:
            target.state, target.is_built = state, True
        elif type(target) is NumberType and not target.is_known and type(state) is tuple and len(state) == 8:
            know(target, state)
        elif type(target) is ArrayRecord and not target.is_built and type(state) is tuple and len(state) == 5:
            fill(target, state)
        elif not (_is_metadata(target, state) or (self._find_storage is not None and type(target) in (dict, TensorRecord))):
            raise MalformedPickleError(f"sets the state of {_named(target)} in a way no generator's checkpoint does")

    # Networks and dictionaries

    def _persistent_object(self, args: tuple[Any, ...]) -> ModuleRecord:
        meta = args[0] if len(args) == 1 else None
        names = {"type", "version", "module_src", "class_name", "state"}
        if type(meta) is not dict or set(meta) != names:
            raise MalformedPickleError(f"holds a persistent object without exactly the fields {sorted(names)}")
        if type(meta["version"]) is not int or meta["version"] != PERSISTENCE_VERSION:
            raise MalformedPickleError(
                f"holds a persistent object of version {shown(meta['version'])}, expected {PERSISTENCE_VERSION}"
            )
        is_text = type(meta["module_src"]) in (str, LongText) and all(type(meta[name]) is str for name in ("type", "class_name"))
        if not is_text or type(meta["state"]) is not dict:
            raise MalformedPickleError("holds a persistent object whose names are no text or whose state is no dictionary")
        return ModuleRecord(meta["class_name"], meta["state"], is_built=True)

    def _ordered_dict(self, args: tuple[Any, ...]) -> dict[Any, Any]:
        if self._find_storage is not None and len(args) == 1 and type(args[0]) is list:
            return _from_pairs(args[0])
        if args:
            raise MalformedPickleError("calls collections.OrderedDict with arguments, which no generator's checkpoint does")
        return {}

    def _set(self, args: tuple[Any, ...]) -> set[Any]:
        return checked_set(args[0] if len(args) == 1 else None if args else [])

    def _plain_text(self, args: tuple[Any, ...]) -> str:
        if not args or type(args[0]) is not str or any(type(part) is not int for part in args[1:]):
            raise MalformedPickleError("holds a torch.device that is not a name")
        return args[0]

    def _path(self, args: tuple[Any, ...]) -> tuple[str, ...]:
        if not all(type(part) is str for part in args):
            raise MalformedPickleError("holds a path that is not made of text")
        return args

    def _size(self, args: tuple[Any, ...]) -> tuple[int, ...]:
        if len(args) != 1 or not is_extent(args[0]):
            raise MalformedPickleError("holds a torch.Size that is not a tuple of sizes")
        return args[0]

    # Bytes

    def _encoded(self, args: tuple[Any, ...]) -> memoryview | LongText:
        """Bytes as protocol 2 spells them: text of which every character is one byte."""
        if len(args) != 2 or args[1] not in ("latin1", "latin-1") or type(args[0]) not in (str, LongText):
            raise MalformedPickleError("calls _codecs.encode in a way no pickled bytes do")
        return args[0] if type(args[0]) is LongText else latin1(args[0])

    def _bytes(self, args: tuple[Any, ...]) -> memoryview | LongText:
        if not args:
            return memoryview(b"")
        if len(args) == 1 and type(args[0]) in (memoryview, LongText):
            return args[0]
        if len(args) == 2 and type(args[0]) in (str, LongText):
            return self._encoded(args)
        raise MalformedPickleError("holds bytes that are not bytes")

    # Tensors

    def _named_storage(self, key: str, element: Element, count: int) -> StorageRecord:
        assert self._find_storage is not None
        if self.storages.setdefault(key, (element, count)) != (element, count):
            raise MalformedPickleError("tells two types or sizes of one storage")
        self._count_storage(len(self.storages))
        return StorageRecord(element, count, partial(self._find_storage, key))

    def _count_storage(self, count: int) -> None:
        if count > MAX_STORAGES:
            raise MalformedPickleError(f"holds more than {MAX_STORAGES} tensors, a release has less than a thousand")

    def _storage(self, args: tuple[Any, ...]) -> StorageRecord:
        held: Any = args[0] if len(args) == 1 else None
        if type(held) not in (memoryview, LongText):
            raise MalformedPickleError("holds a storage that is not one byte string")
        self._count += 1
        self._count_storage(self._count)
        try:
            if type(held) is memoryview:
                return read_nested_storage(held)
            # Decoded again when it is wanted: a release's weights would fill the memory twice over.
            storage = read_nested_storage(latin1(held))
            return StorageRecord(storage.element, storage.count, lambda: read_nested_storage(latin1(held)).raw)
        except DamagedPickleError as error:
            raise DamagedPickleError(f"holds a nested torch file that {error}") from error
        except MalformedPickleError as error:
            raise MalformedPickleError(f"holds a nested torch file that {error}") from error

    def _tensor(self, args: tuple[Any, ...]) -> TensorRecord:
        # A seventh value, metadata, is None or empty in every file.
        is_plain = len(args) in (6, 7) and type(args[4]) is bool and args[5] == {} and type(args[5]) is dict and not any(args[6:])
        if not is_plain or type(args[0]) is not StorageRecord:
            raise MalformedPickleError("holds a tensor that is not (storage, offset, shape, stride, requires_grad, no hooks)")
        return tensor_record(*args[:4])

    def _tensor_of_old(self, args: tuple[Any, ...]) -> TensorRecord:
        if len(args) != 4 or type(args[0]) is not StorageRecord:
            raise MalformedPickleError("holds a tensor that is not (storage, offset, shape, stride)")
        return tensor_record(*args)

    def _parameter(self, args: tuple[Any, ...]) -> TensorRecord:
        is_plain = len(args) == 3 and type(args[1]) is bool and type(args[2]) is dict and not args[2]
        if not is_plain or type(args[0]) is not TensorRecord:
            raise MalformedPickleError("holds a parameter that is not (tensor, requires_grad, no hooks)")
        return args[0]

    def _parameter_with_state(self, args: tuple[Any, ...]) -> TensorRecord:
        if len(args) != 4:
            raise MalformedPickleError("holds a parameter that is not (tensor, requires_grad, no hooks, state)")
        return self._parameter(args[:3])

    def _bare_parameter(self, args: tuple[Any, ...]) -> TensorRecord:
        if not args or type(args[0]) is not TensorRecord:
            raise MalformedPickleError("holds a parameter that is no tensor")
        return args[0]


def latin1(text: str | LongText) -> memoryview:
    """The bytes that protocol 2 spelled as text.

    Raises:
        MalformedPickleError: a character beyond 255, or no UTF-8.
    """
    try:
        return memoryview((text if isinstance(text, str) else str(text.raw, "utf-8")).encode("latin1"))
    except UnicodeError as error:
        raise DamagedPickleError("is damaged: bytes spelled as text hold a character that is no byte") from error


def _is_metadata(target: Any, state: Any) -> bool:
    """A state dict is an OrderedDict with one attribute, the versions of its modules."""
    return type(target) is dict and type(state) is dict and set(state) == {"_metadata"} and type(state["_metadata"]) is dict


def _from_pairs(pairs: list[Any]) -> dict[str, Any]:
    """What Python 2 wrote of an ordered dictionary."""
    if any(type(pair) not in (list, tuple) or len(pair) != 2 or type(pair[0]) is not str for pair in pairs):
        raise MalformedPickleError("holds an ordered dictionary that is not made of names and values")
    return {name: value for name, value in pairs}


def _named(target: Any) -> str:
    return target.name if type(target) is GlobalName else f"a {type(target).__name__}"
