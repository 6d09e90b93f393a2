"""Each name that a checkpoint may hold beyond a release's own does one inert thing; any other use of it is refused, in every container."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.checkpoints.inert.checkpoint_file import read_checkpoint
from dnerf_core.checkpoints.inert.records import ArrayRecord, ModuleRecord, TensorRecord
from dnerf_core.checkpoints.release import import_release
from dnerf_core.errors import CheckpointError
from tests.core import hostile as h

EVIL = h.Raw(h.system_call("touch canary"))
FLOAT64 = h.Raw(h.call(h.name("numpy", "dtype"), "f8", False, True) + h.dump((3, "<", None, None, None, -1, -1, 0)) + b"b")
BOOL = h.Raw(h.call(h.name("numpy", "dtype"), "b1", False, True) + h.dump((3, "|", None, None, None, -1, -1, 0)) + b"b")
NDARRAY = h.Raw(h.name("numpy", "ndarray"))
RECONSTRUCTED = h.call(h.name("numpy._core.multiarray", "_reconstruct"), NDARRAY, (0,), b"b")
HUGE = h.Raw(b"\x8a\x06" + struct.pack("<q", 2**39)[:6])
ENCODE = h.name("_codecs", "encode")
STORAGE = h.Raw(h.storage(np.arange(6, dtype="<f4").tobytes()))
TENSOR = h.Raw(h.tensor(STORAGE.opcodes, (6,)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, also the current one: a command that ran would leave `canary` in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Containers


def plain(opcodes: bytes) -> bytes:
    return b"\x80\x04" + opcodes + b"."


def torch_zip(opcodes: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + opcodes + b".")
        archive.writestr("x/version", "3\n")
    return written.getvalue()


def torch_legacy(opcodes: bytes) -> bytes:
    parts = (h.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}), opcodes, h.dump([]))
    return h.NESTED_HEAD + b"".join(b"\x80\x02" + part + b"." for part in parts)


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {"pickle": plain, "zip": torch_zip, "legacy": torch_legacy}


def assert_refused(folder: Path, data: bytes, expected: str) -> None:
    path = folder / "x.pkl"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        import_release(path, folder / "out.safetensors")
    message = str(caught.value)
    assert expected in message
    assert message.startswith(str(path)) and message.isprintable() and len(message) < 500 + len(str(path))
    assert [entry.name for entry in folder.iterdir()] == ["x.pkl"]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (EVIL.opcodes, "'os.system'"),
        (h.evaluation("open('canary', 'w').close()"), "'builtins.eval'"),
        (h.memoised_system_call("touch canary"), "'posix.system'"),
        (h.attribute_chain("touch canary"), "'builtins.getattr'"),
        (h.dotted_name(), "'collections.OrderedDict.__init__.__globals__'"),
        (h.name("builtins", "exec"), "'builtins.exec'"),
        (h.name("__builtin__", "eval"), "'__builtin__.eval'"),
        (h.name("builtins", "set.__class__"), "'builtins.set.__class__'"),
        (h.name("torch", "load"), "'torch.load'"),
        (h.name("torch.hub", "load"), "'torch.hub.load'"),
        (h.name("torch.jit", "load"), "'torch.jit.load'"),
        (h.name("torch._utils", "_rebuild_device_tensor_from_numpy"), "_rebuild_device_tensor_from_numpy'"),
        (h.name("torch.storage", "_load_from_bytes.__globals__"), "'torch.storage._load_from_bytes.__globals__'"),
        (h.name("numpy", "load"), "'numpy.load'"),
        (h.name("numpy._core.multiarray", "fromfile"), "'numpy._core.multiarray.fromfile'"),
        (h.name("numpy.core.multiarray", "_reconstruct.__globals__"), "'numpy.core.multiarray._reconstruct.__globals__'"),
        (h.name("_codecs", "lookup"), "'_codecs.lookup'"),
        (h.name("codecs", "encode"), "'codecs.encode'"),
        (h.name("argparse", "ArgumentParser"), "'argparse.ArgumentParser'"),
        (h.name("pathlib", "Path"), "'pathlib.Path'"),
        (h.name("pathlib", "PosixPath.unlink"), "'pathlib.PosixPath.unlink'"),
        (h.name("functools", "partial"), "'functools.partial'"),
        (h.name("copyreg", "_reconstructor"), "'copyreg._reconstructor'"),
        (b"(ios\nsystem\n", "'os.system'"),
    ],
)
def test_code_and_other_names_are_refused_in_every_container(folder: Path, container: str, attack: bytes, expected: str) -> None:
    assert_refused(folder, CONTAINERS[container](attack), expected)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        # numpy's arrays
        (h.call(h.name("numpy._core.multiarray", "_reconstruct"), EVIL, (0,), b"b"), "'os.system'"),
        (h.call(h.name("numpy._core.multiarray", "_reconstruct"), NDARRAY, (0,), 5), "not (ndarray, shape, type)"),
        (h.call(h.name("numpy.core.multiarray", "_reconstruct"), FLOAT64, (0,), b"b"), "not (ndarray, shape, type)"),
        (h.call(h.name("numpy.core.multiarray", "_reconstruct"), NDARRAY, (-1,), b"b"), "not (ndarray, shape, type)"),
        (NDARRAY.opcodes + b")R", "calls numpy.ndarray"),
        (NDARRAY.opcodes + b")\x81", "makes an object of numpy.ndarray"),
        (
            RECONSTRUCTED
            + h.dump((1, (2,), FLOAT64, False, b"12345678"))
            + b"b",
            "a numpy array of 16 bytes in 8",
        ),
        (
            RECONSTRUCTED + h.dump((1, (2,), FLOAT64, False, [1, 2])) + b"b",
            "not (version, shape, type, order, bytes)",
        ),
        (
            RECONSTRUCTED + h.dump((1, (HUGE, HUGE), FLOAT64, False, b"")) + b"b",
            "bytes in 0",
        ),
        (h.call(h.name("numpy._core.numeric", "_frombuffer"), b"1234", FLOAT64, (1,), "C"), "a numpy array of 8 bytes in 4"),
        (h.call(h.name("numpy.core.numeric", "_frombuffer"), b"12345678", FLOAT64, (1,), "K"), "not (buffer, type, shape, order)"),
        (h.call(h.name("numpy.core.numeric", "_frombuffer"), EVIL, FLOAT64, (1,), "C"), "'os.system'"),
        (h.call(h.name("numpy._core.multiarray", "scalar"), FLOAT64, b"123"), "numpy scalar of type f8 in 3 bytes"),
        (h.call(h.name("numpy._core.multiarray", "scalar"), FLOAT64, EVIL), "'os.system'"),
        (h.call(h.name("numpy", "dtype"), "b1", False, True) + h.dump((3, "<", None, None, None, -1, -1, 0)) + b"b", "little-endian"),
        (h.name("numpy", "float32") + b")R", "calls numpy.float32"),
        # protocol 2's bytes and sets
        (h.call(ENCODE, "abc", "rot13"), "calls _codecs.encode"),
        (h.call(ENCODE, EVIL, "latin1"), "'os.system'"),
        (h.call(ENCODE, "abc"), "calls _codecs.encode"),
        (h.call(ENCODE, "\u20ac", "latin1"), "a character that is no byte"),
        (h.call(ENCODE, ["abc"], "latin1"), "calls _codecs.encode"),
        (h.call(h.name("__builtin__", "set"), [[1]]), "a set holds something other"),
        (h.call(h.name("builtins", "set"), 5), "a set holds something other"),
        (h.call(h.name("builtins", "bytes"), 2**31 - 1), "bytes that are not bytes"),
        (h.call(h.name("builtins", "bytearray"), [1, 2]), "bytes that are not bytes"),
        (b"\x96" + struct.pack("<Q", 2**40), "truncated or damaged"),
        # torch's types
        (h.name("torch", "float32") + b")R", "calls torch.float32"),
        (h.call(h.name("torch", "Size"), [3]), "torch.Size that is not a tuple"),
        (h.call(h.name("torch", "device"), EVIL), "'os.system'"),
        (h.call(h.name("torch", "device"), ["cpu"]), "torch.device that is not a name"),
        (h.call(h.name("torch._utils", "_rebuild_tensor"), 5, 0, (1,), (1,)), "not (storage, offset, shape, stride)"),
        (h.call(h.name("torch._utils", "_rebuild_parameter_with_state"), 5, True, h.ORDERED, {}), "not (tensor, requires_grad, no hooks)"),
        (h.call(h.name("torch._utils", "_rebuild_parameter_with_state"), 5), "requires_grad, no hooks, state)"),
        # carriers of attributes
        (h.name("argparse", "Namespace") + b")R", "calls argparse.Namespace"),
        (h.name("argparse", "Namespace") + h.dump((1,)) + b"\x81", "makes an object of argparse.Namespace"),
        (h.name("argparse", "Namespace") + b")\x81" + h.dump({"a": EVIL}) + b"b", "'os.system'"),
        (h.name("argparse", "Namespace") + b")\x81}b}b", "sets the state of a ModuleRecord"),
        (h.call(h.name("pathlib", "PosixPath"), "a", 5), "a path that is not made of text"),
        (h.call(h.name("pathlib", "WindowsPath"), EVIL), "'os.system'"),
        # modules by their plain classes
        (h.name("training.triplane", "TriPlaneGenerator") + b")R", "calls training.triplane.TriPlaneGenerator"),
        (h.name("training.triplane", "TriPlaneGenerator") + h.dump((EVIL,)) + b"\x81", "'os.system'"),
        (h.name("training.triplane", "TriPlaneGenerator") + h.dump((1,)) + b"\x81", "makes an object of training.triplane.Tri"),
        (h.ORDERED.opcodes + h.dump({"_metadata": EVIL}) + b"b", "'os.system'"),
        # relatives' classes are names, and what they are given is read all the same
        (h.call(h.name("smplx.body_models", "SMPL"), EVIL), "'os.system'"),
        (h.name("warping_utils.smpl_helper", "SMPLSimplified") + b")\x81" + EVIL.opcodes + b"b", "'os.system'"),
        (h.name("smplx.body_models", "os.system"), "'smplx.body_models.os.system'"),
        (h.name("smplxx", "A"), "'smplxx.A'"),
    ],
)  # fmt: skip
def test_each_name_does_one_thing(folder: Path, container: str, attack: bytes, expected: str) -> None:
    assert_refused(folder, CONTAINERS[container](attack), expected)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (("storage", EVIL, "0", "cpu", 6), "'os.system'"),
        (("storage", h.Raw(h.name("torch", "FloatStorage")), "0", "cpu", -1), "no storage of torch"),
        (("storage", h.Raw(h.name("torch", "FloatStorage")), 0, "cpu", 6), "no storage of torch"),
        (
            ("storage", h.Raw(h.name("torch", "FloatStorage")), "0", "cpu", h.Raw(b"\x8a\x08" + struct.pack("<q", 2**60))),
            "no storage of torch",
        ),
        (("storage", h.Raw(h.name("torch", "ComplexFloatStorage")), "0", "cpu", 6), "'torch.ComplexFloatStorage'"),
        (("storage", "torch.FloatStorage", "0", "cpu", 6), "no storage of torch"),
        (("module", EVIL, "file", "source"), "'os.system'"),
        (("module", "os.system", "file", "source"), "no storage of torch"),
        (("other",), "no storage of torch"),
        ("storage", "no storage of torch"),
    ],
)
@pytest.mark.parametrize("container", ["zip", "legacy"])
def test_persistent_ids_of_torch_are_storages_or_classes(folder: Path, container: str, identifier: Any, expected: str) -> None:
    assert_refused(folder, CONTAINERS[container](h.dump(identifier) + b"Q"), expected)


def test_torch_storages_that_are_not_there_are_damage(folder: Path) -> None:
    reference = h.dump(("storage", h.Raw(h.name("torch", "FloatStorage")), "../../etc/passwd", "cpu", 6)) + b"Q"
    assert_refused(folder, torch_zip(reference), "a damaged zip file without 6 float32 values as 'data/../../etc/passwd'")
    assert_refused(folder, torch_legacy(reference), "does not hold exactly the storages it describes")


def test_a_storage_told_in_two_ways_is_refused(folder: Path) -> None:
    def reference(count: int) -> h.Raw:
        return h.Raw(h.dump(("storage", h.Raw(h.name("torch", "FloatStorage")), "0", "cpu", count)) + b"Q")

    assert_refused(folder, torch_zip(h.dump([reference(6), reference(7)])), "two types or sizes of one storage")


def test_a_zip_that_claims_more_than_it_holds_allocates_nothing(folder: Path) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(2**20))
    assert_refused(folder, written.getvalue(), "'data.pkl' compressed, which torch.save does not do")
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02N.")
        archive.writestr("x/constants.pkl", b"")
    assert_refused(folder, written.getvalue(), "is a TorchScript archive")


def test_what_the_names_stand_for(folder: Path) -> None:
    def read(value: Any, container: str = "pickle") -> Any:
        (folder / "x.pkl").write_bytes(CONTAINERS[container](h.dump(value)))
        return read_checkpoint(folder / "x.pkl").tree

    filled = h.Raw(RECONSTRUCTED + h.dump((1, (1, 2), FLOAT64, False, bytes(16))) + b"b")
    record = read(filled)
    assert type(record) is ArrayRecord and record.shape == (1, 2)
    buffered = read(h.Raw(h.call(h.name("numpy._core.numeric", "_frombuffer"), bytes(16), FLOAT64, (2, 1), "F")))
    assert type(buffered) is ArrayRecord and buffered.shape == (2, 1)
    assert read(h.Raw(h.call(h.name("numpy._core.multiarray", "scalar"), FLOAT64, struct.pack("<d", 0.5)))) == 0.5
    assert read(h.Raw(h.call(h.name("numpy._core.multiarray", "scalar"), BOOL, b"\x01"))) is True
    assert bytes(read(h.Raw(h.call(ENCODE, "a\u00ff", "latin1")))) == b"a\xff"
    assert read(h.Raw(h.call(h.name("__builtin__", "set"), ["a", 1]))) == {"a", 1}
    assert read(h.Raw(h.call(h.name("torch", "Size"), (2, 3)))) == (2, 3)
    assert read(h.Raw(h.call(h.name("torch", "device"), "cuda", 0))) == "cuda"
    assert read(h.Raw(h.call(h.name("pathlib", "PosixPath"), "/", "etc"))) == ("/", "etc")
    spaced = read(h.Raw(h.name("argparse", "Namespace") + b")\x81" + h.dump({"lr": 1}) + b"b"))
    assert type(spaced) is ModuleRecord and spaced.state == {"lr": 1}
    kept = read(h.Raw(h.ORDERED.opcodes + h.dump({"_metadata": {"": {"version": 1}}}) + b"b"))
    assert kept == {}
    stated = read(h.Raw(h.call(h.name("torch._utils", "_rebuild_parameter_with_state"), TENSOR, True, h.ORDERED, {"a": 1})))
    assert type(stated) is TensorRecord and stated.to_array().tolist() == [0, 1, 2, 3, 4, 5]


def test_bytes_that_protocol_2_spells_as_text_are_read_when_wanted(folder: Path) -> None:
    elements = np.arange(40_000, dtype="<f4")
    nested = h.nested_file(elements.tobytes())
    spelled = h.Raw(h.call(ENCODE, nested.decode("latin1"), "latin1"))
    tensor = h.tensor(h.call(h.name("torch.storage", "_load_from_bytes"), spelled), (40_000,))
    (folder / "x.pkl").write_bytes(plain(tensor))
    np.testing.assert_array_equal(read_checkpoint(folder / "x.pkl").tree.to_array(), elements)
    damaged = bytearray(plain(tensor))
    place = damaged.index(b"\xc2\x80", 100_000)
    damaged[place] = 0xFF  # no longer UTF-8
    assert_refused(folder, bytes(damaged), "a character that is no byte")


def test_python_would_have_run_it(folder: Path) -> None:
    """The attacks are real: Python's own reader runs what each container carries."""
    pickle.loads(plain(EVIL.opcodes))
    assert (folder / "canary").exists()
