"""The reader of release pickles: what it builds, and that every hostile file ends in one line with nothing run and nothing written."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dnerf_core.checkpoints.inert import builder as inert_builder
from dnerf_core.checkpoints.inert import pickle_machine
from dnerf_core.checkpoints.inert.checkpoint_file import read_checkpoint
from dnerf_core.checkpoints.inert.nested_storage import read_nested_storage
from dnerf_core.checkpoints.inert.pickle_machine import MalformedPickleError, shown
from dnerf_core.checkpoints.inert.records import ForeignRecord, ModuleRecord, TensorRecord
from dnerf_core.checkpoints.release import import_release
from dnerf_core.errors import CheckpointError
from tests.core import hostile as h

ELEMENTS = np.arange(6, dtype="<f4").tobytes()


@pytest.fixture(scope="module")
def good_network() -> bytes:
    """Opcodes of a G_ema that imports: what is put beside it is the only fault of a file."""
    return h.dump(h.network(h.NARROW))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, also the current one: a command that ran would leave `canary` in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder: Path, data: bytes) -> object:
    path = folder / "release.pkl"
    path.write_bytes(data)
    return read_checkpoint(path).tree


def assert_refused(folder: Path, data: bytes, expected: str) -> str:
    """Imports `data`: one line that names the file and holds `expected`; nothing ran and nothing was written."""
    path = folder / "release.pkl"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        import_release(path, folder / "out.safetensors")
    message = str(caught.value)
    assert expected in message
    assert message.startswith(str(path))
    assert "\n" not in message and message.isprintable() and len(message) < 500 + len(str(path))
    assert [entry.name for entry in folder.iterdir()] == ["release.pkl"]
    return message


# What it builds


def test_plain_values_come_back(folder: Path) -> None:
    value = {"a": [1, -2, 2.5, None, True, False], "b": (), "c": (1,), "d": {3: "ü"}, "e": {"x"}, "f": 2**70, "g": (1, 2, 3)}
    for protocol in (2, 3, 4, 5):
        kept = {key: item for key, item in value.items() if key != "e" or protocol >= 4}  # older ones spell a set as a call
        assert read(folder, pickle.dumps(kept, protocol)) == kept


def test_modules_tensors_and_scalars_become_records(folder: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    module = h.Module(
        "Thing", {"gain": np.float64(0.25)}, parameters={"weight": values}, modules={"act": h.Module("Softplus", {"beta": 1})}
    )
    tree = read(folder, h.pickled({"net": module}))
    assert isinstance(tree, dict)
    record = tree["net"]
    assert type(record) is ModuleRecord and record.class_name == "Thing" and record.state["gain"] == 0.25
    assert record.state["_modules"]["act"].class_name == "Softplus" and record.state["_modules"]["act"].state["beta"] == 1
    np.testing.assert_array_equal(record.state["_parameters"]["weight"].to_array(), values)


def test_strided_tensor_reads_its_storage(folder: Path) -> None:
    # storage 0..5; shape (2, 2), stride (1, 2), offset 1: [[1, 3], [2, 4]]
    record = read(folder, h.pickled(h.Raw(h.tensor(h.storage(ELEMENTS), (2, 2), (1, 2), 1))))
    assert isinstance(record, TensorRecord)
    array = record.to_array()
    np.testing.assert_array_equal(array, [[1, 3], [2, 4]])
    assert array.flags.c_contiguous and array.flags.writeable


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_nested_file_reads_as_torch_reads_and_writes_it() -> None:
    torch = pytest.importorskip("torch")
    data = h.nested_file(ELEMENTS)
    ours = np.frombuffer(read_nested_storage(memoryview(data)).raw, "<f4")
    theirs = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    assert ours.tolist() == list(theirs) == [0, 1, 2, 3, 4, 5]
    written = io.BytesIO()
    torch.save(torch.arange(5.0).storage(), written, _use_new_zipfile_serialization=False)
    back = np.frombuffer(read_nested_storage(memoryview(written.getvalue())).raw, "<f4")
    assert back.tolist() == [0, 1, 2, 3, 4]


def test_source_text_is_dropped(parity_dir: Path) -> None:
    waiting: list[object] = [read_checkpoint(parity_dir / "shapenet-narrow-trap.pkl").tree]
    modules = 0
    while waiting:
        value = waiting.pop()
        assert not isinstance(value, str) or "embedded source" not in value
        if isinstance(value, ModuleRecord):
            modules += 1
            waiting.append(value.state)
        elif isinstance(value, dict):
            waiting.extend(value.values())
    assert modules > 100


def test_needs_neither_torch_nor_the_unpickler(tmp_path: Path) -> None:
    program = (
        "import sys, pickle\n"
        "class Refused:\n    def __init__(self, *a, **k): raise SystemExit('unpickled')\n"
        "pickle.Unpickler = pickle._Unpickler = pickle.load = pickle.loads = Refused\n"
        "from dnerf_core.checkpoints.inert.checkpoint_file import read_checkpoint\n"
        "from pathlib import Path\n"
        "read_checkpoint(Path(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules\n"
    )
    path = tmp_path / "release.pkl"
    path.write_bytes(h.pickled({"weight": np.zeros(3, np.float32)}))
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, cwd=Path(__file__).parents[2], timeout=60)


# Code

FOREIGN = h.name("training.augment", "AugmentPipe")
FOREIGN_REFUSED = "holds 'training.augment.AugmentPipe' inside G_ema"


def test_the_attacks_are_real(folder: Path) -> None:
    """The same bytes do run code in Python's own reader."""
    for attack in (h.system_call("touch canary"), h.memoised_system_call("touch canary")):
        pickle.loads(h.pickled(h.Raw(attack)))
        (folder / "canary").unlink()
    pickle.loads(h.pickled(h.Raw(h.evaluation("open('canary', 'w').close()"))))
    assert (folder / "canary").exists()


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (h.system_call("touch canary"), "'os.system'"),
        (h.evaluation("open('canary', 'w').close()"), "'builtins.eval'"),
        (h.memoised_system_call("touch canary"), "'posix.system'"),
        (h.attribute_chain("touch canary"), "'builtins.getattr'"),
        (h.dotted_name(), "'collections.OrderedDict.__init__.__globals__'"),
        (b"(ios\nsystem\n", "'os.system'"),
        (b"(" + h.text("touch canary") + b"icollections\nOrderedDict\n", "opcode INST"),
        (b"(" + h.name("os", "system") + h.text("touch canary") + b"o", "'os.system'"),
        (b"(" + h.name("collections", "OrderedDict") + b"o", "opcode OBJ"),
        (b"\x82\x01", "opcode EXT1"),
        (b"\x83\x01\x00", "opcode EXT2"),
        (b"\x84\x01\x00\x00\x00", "opcode EXT4"),
        (b"Pcanary\n", "opcode PERSID"),
        (h.text("canary") + b"Q", "persistent id"),
        (h.name("torch.nn.parameter", "Parameter"), "'torch.nn.parameter.Parameter'"),
        (h.name("torch.nn.functional", "relu"), "'torch.nn.functional.relu'"),
        (h.name("torch.hub", "load"), "'torch.hub.load'"),
        (h.name("numpy.random", "seed"), "'numpy.random.seed'"),
        (h.name("subprocess", "Popen"), "'subprocess.Popen'"),
        (h.name("functools", "partial"), "'functools.partial'"),
        (h.name("training.augment", "os.system"), "'training.augment.os.system'"),
        (h.name("training", "x.y"), "'training.x.y'"),
        (b"ctraining.augment\nos.system\n", "'training.augment.os.system'"),
        (h.name("training.augment", ""), "'training.augment.'"),
        (h.name("training.augment", "a b"), "'training.augment.a b'"),
        (h.name("training.augment", "a\n"), "'training.augment.a\\n'"),
        (h.name("training..augment", "A"), "'training..augment.A'"),
        (h.name("training.", "A"), "'training..A'"),
        (h.name("training.augment\n", "A"), "'training.augment\\n.A'"),
        (h.name("trainings", "A"), "'trainings.A'"),
        (h.name("xtraining.augment", "A"), "'xtraining.augment.A'"),
        (h.name("", "training"), "'.training'"),
        # What a foreign class is given is dropped, but read all the same.
        (h.call(FOREIGN, h.Raw(h.system_call("touch canary"))), "'os.system'"),
        (FOREIGN + b")\x81" + h.system_call("touch canary") + b"b", "'os.system'"),
        (h.name("torch", "FloatStorage"), "'torch.FloatStorage'"),
        (h.name("torch", "storage._load_from_bytes"), "'torch.storage._load_from_bytes'"),
        (h.name("torch.storage._load_from_bytes", ""), "'torch.storage._load_from_bytes.'"),
        (h.name("", "os\nsystem\x1b[31m"), "'.os\\nsystem\\x1b[31m'"),
        (h.name("a" * 5000, "b"), "aaa..."),
        (b"N\x85" + h.text("x") + b"\x93", "not named by text"),
        (b"K\x01K\x02\x93", "not named by text"),
    ],
)
def test_other_names_and_opcodes_are_refused(folder: Path, good_network: bytes, attack: bytes, expected: str) -> None:
    assert_refused(folder, h.release(good_network, D=h.Raw(attack)), expected)


def test_a_hostile_network_is_refused_wherever_it_stands(folder: Path) -> None:
    network = h.network(h.NARROW)
    network.at("backbone.mapping").attributes["num_layers"] = h.Raw(h.system_call("touch canary"))
    assert_refused(folder, h.release(network), "'os.system'")
    assert_refused(folder, pickle.dumps(_Evil(), 4), f"'{os.system.__module__}.system'")
    assert_refused(folder, pickle.dumps(_Evil(), 2), f"'{os.system.__module__}.system'")


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch canary",)


def test_a_foreign_class_is_a_name_whatever_is_done_to_it(folder: Path) -> None:
    made = [
        FOREIGN,
        b"ctraining.augment\nAugmentPipe\n",
        h.call(FOREIGN, 1, [2]),
        FOREIGN + b"NR",
        h.call(h.call(FOREIGN)),
        FOREIGN + b")\x81",
        FOREIGN + b"NNN\x87\x81",
        FOREIGN + b")}\x92",
        FOREIGN + h.dump((1,)) + h.dump({"name": "os", "__reduce__": 3}) + b"\x92",
        FOREIGN + b")\x81" + h.dump({"__class__": 1, "name": "x"}) + b"bNb",
    ]
    tree = read(folder, h.pickled({"D": [h.Raw(opcodes) for opcodes in made]}))
    assert isinstance(tree, dict)
    assert tree["D"] == [ForeignRecord("training.augment.AugmentPipe")] * len(made)
    assert [vars(record) for record in tree["D"]] == [{"name": "training.augment.AugmentPipe"}] * len(made)


def _hidden(value: h.Raw) -> dict[str, h.Module]:
    """G_ema with `value` in every kind of place."""
    networks = {}
    for place in ("module", "attribute", "parameter", "buffer", "list", "tuple", "argument", "nested"):
        networks[place] = network = h.network(h.NARROW)
        decoder = network.at("decoder")
        match place:
            case "module":
                decoder.modules["extra"] = value
            case "parameter":
                decoder.parameters["extra"] = value
            case "buffer":
                decoder.buffers["extra"] = value
            case "argument":
                network.attributes["_init_kwargs"]["extra"] = value
            case "nested":
                decoder.attributes["extra"] = h.Module("A", {"deep": {"er": [(1, {"and": h.Module("B", {"er": value})})]}})
            case _:
                decoder.attributes["extra"] = {"list": [1, value], "tuple": (1, value), "attribute": value}[place]
    return networks


@pytest.mark.parametrize(
    "foreign", [FOREIGN, h.call(FOREIGN, 1), FOREIGN + b")\x81}b", FOREIGN + b")}\x92"], ids=["class", "call", "object", "named"]
)
def test_a_foreign_class_inside_g_ema_is_refused(folder: Path, foreign: bytes) -> None:
    places = _hidden(h.Raw(foreign))
    for place in places if foreign == FOREIGN else ("module", "attribute"):
        expected = "holds a parameter" if place == "parameter" else FOREIGN_REFUSED
        assert_refused(folder, h.release(places[place]), expected)
    assert_refused(folder, h.pickled({"G_ema": h.Raw(foreign)}), FOREIGN_REFUSED)


def test_a_foreign_class_that_g_ema_shares_with_d_is_refused(folder: Path) -> None:
    network = h.network(h.NARROW)
    network.attributes["shared"] = h.Raw(b"j\x00\x20\x00\x00")
    held = h.Raw(h.dump([1, {"a": h.Raw(FOREIGN)}]) + b"r\x00\x20\x00\x00")
    assert_refused(folder, h.release(network, D=held), FOREIGN_REFUSED)


def test_g_ema_is_searched_once_however_it_is_knotted(folder: Path) -> None:
    network = h.network(h.NARROW)
    network.attributes["bomb"] = h.Raw(h.memo_bomb(5000))
    network.attributes["loop"] = h.Raw(b"]r\x00\x10\x10\x00j\x00\x10\x10\x00a")
    path = folder / "release.pkl"
    path.write_bytes(h.release(network))
    import_release(path, folder / "out.safetensors")
    (folder / "out.safetensors").unlink()
    network.attributes["loop"] = h.Raw(b"]r\x00\x10\x10\x00j\x00\x10\x10\x00a" + FOREIGN + b"a")
    assert_refused(folder, h.release(network), FOREIGN_REFUSED)


ORDERED_DICT = h.name("collections", "OrderedDict")
FLOAT64 = h.call(h.name("numpy", "dtype"), "f8", False, True) + h.dump((3, "<", None, None, None, -1, -1, 0)) + b"b"


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (h.call(ORDERED_DICT, [("__reduce__", 1)]), "OrderedDict with arguments"),
        (h.ORDERED.opcodes + h.dump({"__reduce__": 1}) + b"b", "sets the state of a dict"),
        (ORDERED_DICT + h.dump({"__init__": 1}) + b"b", "sets the state of collections.OrderedDict"),
        (ORDERED_DICT + b")\x81", "makes an object of collections.OrderedDict"),
        (ORDERED_DICT + b"NR", "calls collections.OrderedDict"),
        (h.name("dnnlib.util", "EasyDict") + b")R", "calls dnnlib.util.EasyDict"),
        (h.name("dnnlib.util", "EasyDict") + h.dump(({"a": 1},)) + b"\x81", "makes an object of dnnlib.util.EasyDict"),
        (h.text("os") + h.dump(("touch canary",)) + b"R", "calls a str"),
        (h.dump(h.Module("Softplus")) + b"}b", "sets the state of a ModuleRecord"),
        (
            h.call(h.name("torch_utils.persistence", "_reconstruct_persistent_obj"), {"type": "class"}),
            "persistent object without",
        ),
        (h.dump(h.Module("A", version=7)), "version 7, expected 6"),
        (h.call(h.name("numpy", "dtype"), "O8", False, True), "numpy type 'O8'"),
        (
            h.call(h.name("numpy", "dtype"), "f8", False, True) + h.dump((3, ">", None, None, None, -1, -1, 0)) + b"b",
            "little-endian",
        ),
        (h.call(h.name("numpy.core.multiarray", "scalar"), "f8", b"12345678"), "not (type, bytes)"),
        (h.name("training.triplane", "OSGDecoder") + b")}\x92", "makes an object of training.triplane.OSGDecoder"),
        # No allowed call drops a foreign record unseen.
        (h.call(h.name("numpy", "dtype"), "f8", h.Raw(FOREIGN), True), "not (code, align, copy)"),
        (
            h.call(h.name("numpy", "dtype"), "f8", False, True) + h.dump((3, "<", None, h.Raw(FOREIGN), None, -1, -1, 0)) + b"b",
            "little-endian",
        ),
        (
            h.call(h.name("torch._utils", "_rebuild_parameter"), np.ones(1), h.Raw(FOREIGN), h.ORDERED),
            "not (tensor, requires_grad, no hooks)",
        ),
        (
            h.call(h.name("torch._utils", "_rebuild_parameter"), np.ones(1), False, h.ordered({"a": h.Raw(FOREIGN)})),
            "not (tensor, requires_grad, no hooks)",
        ),
        (
            h.call(
                h.name("torch._utils", "_rebuild_tensor_v2"),
                *(h.Raw(h.storage(ELEMENTS)), 0, (6,), (1,), h.Raw(FOREIGN), h.ORDERED),
            ),
            "holds a tensor that is not",
        ),
        (
            h.call(
                h.name("torch_utils.persistence", "_reconstruct_persistent_obj"),
                {"type": "class", "version": 6, "module_src": h.Raw(FOREIGN), "class_name": "A", "state": {}},
            ),
            "names are no text",
        ),
        (h.call(h.name("numpy.core.multiarray", "scalar"), h.Raw(FLOAT64), b"123"), "numpy scalar of type f8 in 3 bytes"),
    ],
)
def test_allowed_names_do_only_what_a_release_does(folder: Path, good_network: bytes, attack: bytes, expected: str) -> None:
    assert_refused(folder, h.release(good_network, D=h.Raw(attack)), expected)


# Nested torch files


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"description": h.system_call("touch canary")}, "'os.system'"),
        ({"description": h.evaluation("open('canary', 'w')")}, "'builtins.eval'"),
        ({"kind": b"ctorch\nComplexFloatStorage\n"}, "'torch.ComplexFloatStorage'"),
        ({"kind": b"ctorch\nDoubleStorage\n"}, "describes 6 float64 values in 24 bytes"),
        ({"kind": b"ctorch\nHalfStorage\n"}, "describes 6 float16 values in 24 bytes"),
        ({"kind": b"ctorch\nUntypedStorage\n"}, "'torch.UntypedStorage'"),
        ({"description": h.call(b"ctorch\nFloatStorage\n")}, "calls something"),
        ({"description": b"ctorch\nFloatStorage\n)\x81"}, "makes an object"),
        ({"description": b"ctorch\nFloatStorage\n)}\x92"}, "makes an object"),
        ({"description": FOREIGN}, "'training.augment.AugmentPipe', expected only"),
        ({"description": b"ctorch\nFloatStorage\n}b"}, "sets an object's state"),
        ({"description": h.dump(("storage", "cpu"))}, "does not describe"),
        ({"count": 2**40}, "describes 1099511627776 float32 values in 24 bytes"),
        ({"count": 5}, "describes 5 float32 values in 24 bytes"),
        ({"count": -1}, "does not describe"),
        ({"head": b"PK\x03\x04"}, "legacy format"),
        ({"head": b"\x80\x02K\x01.\x80\x02M\xe9\x03."}, "legacy format"),
    ],
)
def test_hostile_nested_torch_files_are_refused(
    folder: Path, good_network: bytes, changes: dict[str, object], expected: str
) -> None:
    held = h.tensor(h.storage(ELEMENTS, **changes), (6,))
    message = assert_refused(folder, h.release(good_network, D=h.Raw(held)), expected)
    assert "nested torch file" in message


def test_cut_nested_torch_files_are_refused_at_every_length(folder: Path) -> None:
    data = h.nested_file(ELEMENTS)
    for length in range(len(data)):
        with pytest.raises(MalformedPickleError):
            read_nested_storage(memoryview(data[:length]))
    with pytest.raises(MalformedPickleError):
        read_nested_storage(memoryview(data + b"\0"))


def test_nested_zip_and_tar_files_are_refused(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    written = io.BytesIO()
    torch.save(torch.zeros(3), written)
    for data in (written.getvalue(), b"././@LongLink" + bytes(1000), b""):
        with pytest.raises(MalformedPickleError, match="legacy format"):
            read_nested_storage(memoryview(data))


@pytest.mark.parametrize(
    ("shape", "stride", "offset"),
    [
        ((7,), (1,), 0),
        ((6,), (1,), 1),
        ((2, 2), (5, 1), 0),
        ((10**9,), (0,), 0),
        ((1,), (1,), -1),
        ((-1,), (1,), 0),
        ((2,), (1, 1), 0),
    ],
)
def test_tensors_stay_inside_their_storage(folder: Path, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> None:
    held = h.tensor(h.storage(ELEMENTS), shape, stride, offset)
    assert_refused(folder, h.pickled({"G_ema": h.Raw(held)}), "holds a tensor")


# Size and depth


@pytest.mark.parametrize(
    "attack",
    [
        b"B" + struct.pack("<I", 2**32 - 1),
        b"\x8e" + struct.pack("<Q", 4 * 2**30),
        b"\x8e" + struct.pack("<Q", 2**64 - 1),
        b"C\xff",
        b"\x95" + struct.pack("<Q", 4 * 2**30),
    ],
)
def test_a_claim_of_4_gb_allocates_nothing(folder: Path, attack: bytes) -> None:
    tracemalloc.start()
    try:
        assert_refused(folder, b"\x80\x04" + attack + b"abc", "truncated or damaged")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("attack", "expected"),
    [
        (b"X" + struct.pack("<I", 2**32 - 1), "bytes of text"),
        (b"\x8d" + struct.pack("<Q", 4 * 2**30), "bytes of text"),
        (b"\x8b" + struct.pack("<I", 2**31 - 1), "opcode LONG4"),
        (b"\x8a\xff" + bytes(255), "an integer of 255 bytes"),
        (b"I" + b"9" * 100_000 + b"\n", "opcode INT"),
        (b"c" + b"a" * 100_000, "no end to the name"),
    ],
)
def test_other_claims_are_refused(folder: Path, attack: bytes, expected: str) -> None:
    assert_refused(folder, b"\x80\x04" + attack, expected)


@pytest.mark.parametrize(
    "attack", [h.nested_lists(100_000), h.nested_tuples(100_000), h.nested_modules(5_000)], ids=["lists", "tuples", "modules"]
)
def test_deep_nesting_is_refused(folder: Path, good_network: bytes, attack: bytes) -> None:
    assert_refused(folder, h.release(good_network, D=h.Raw(attack)), "nested deeper than 64")


def test_deep_keys_are_never_hashed(folder: Path, good_network: bytes) -> None:
    assert_refused(folder, h.release(good_network, D=h.Raw(h.nested_key(100_000))), "a tuple is a dictionary's key")
    inside_set = b"\x8f(" + h.nested_tuples(100_000) + b"\x90"
    assert_refused(folder, h.release(good_network, D=h.Raw(inside_set)), "a set holds something other than text")


def test_a_memo_bomb_is_harmless(folder: Path) -> None:
    """2 ** 5000 leaves, were they walked one by one; read in the time of 5000 lists."""
    tree = read(folder, h.pickled({"bomb": h.Raw(h.memo_bomb(5000))}))
    assert isinstance(tree, dict) and len(tree["bomb"]) == 5001
    assert_refused(folder, h.pickled({"G_ema": h.Raw(h.memo_bomb(5000))}), "expected a dictionary with the network 'G_ema'")


def test_too_many_opcodes_and_storages_are_refused(folder: Path, good_network: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 1000)
    assert_refused(folder, h.pickled(h.Raw(b"N" * 2000)), "more than 1000 opcodes")
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(inert_builder, "MAX_STORAGES", 10)
    assert_refused(folder, h.release(good_network), "more than 10 tensors")


def test_too_much_text_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_machine, "MAX_TEXT_BYTES", 1000)
    assert_refused(folder, h.pickled(["a" * 600, "b" * 600]), "more than 1000 bytes of text")


# Damage


def test_a_release_cut_anywhere_is_refused(folder: Path, good_network: bytes) -> None:
    data = h.release(good_network)
    lengths = [2, 3, 10, 100, 5000, len(data) // 2, len(data) - 100, len(data) - 2, len(data) - 1]
    for length in lengths:
        assert_refused(folder, data[:length], "truncated or damaged")


def test_random_damage_never_escapes_as_another_error(folder: Path) -> None:
    data = bytearray(h.pickled({"net": h.Module("A", {"gain": np.float64(1), "b": [1, (2, 3)]}, parameters={"w": np.ones(3)})}))
    random = np.random.default_rng(0)
    path = folder / "damaged.pkl"
    refused = 0
    for _ in range(600):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), random.integers(1, 4)):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        try:
            read_checkpoint(path)
        except CheckpointError as error:
            refused += 1
            assert str(error).isprintable()
    assert refused > 200
    assert [entry.name for entry in folder.iterdir()] == ["damaged.pkl"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"N.N.", "2 bytes after its end"),
        (b".", "stops with 0 values"),
        (b"NN.", "stops with 2 values"),
        (b"(N.", "stops with 2 values"[:10]),
        (b"h\x07.", "the memo 7, which was never set"),
        (b"t.", "a mark is missing"),
        (b"(N\x85\x85\x86t.", "a value is missing"),
        (b"Na.", "a value is missing"),
        (b"]NNs.", "expected a dict"),
        (b"}(Nu.", "a key has no value"),
        (b"\x80\x04N.", "protocol 4 at byte 2"),
        (b"X\x01\x00\x00\x00\xff.", "not UTF-8"),
        (b"\xf0.", "unknown opcode 0xf0"),
    ],
)
def test_damaged_structure_is_named(folder: Path, body: bytes, expected: str) -> None:
    assert_refused(folder, b"\x80\x04" + body, expected)


# Files that are something else


def test_other_files_are_named(folder: Path) -> None:
    from safetensors.numpy import save

    assert_refused(folder, b"", "empty file")
    assert_refused(folder, b"<html>not found</html>\n", "found text")
    assert_refused(folder, b"version https://git-lfs.github.com/spec/v1\n", "found text")
    assert_refused(folder, b"cos\nsystem\n(S'touch canary'\ntR.", "found text")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", b"")
    assert_refused(folder, archive.getvalue(), "a zip file")
    assert_refused(folder, save({"x": np.zeros(3)}), "a .safetensors file")
    assert_refused(folder, bytes(range(64)), "bytes that begin 00 01 02 03")
    assert_refused(folder, b"\x80\x01N.", "protocol 1")


def test_missing_files_folders_and_pipes_are_named(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pkl: .*No such file"):
        read_checkpoint(folder / "nowhere.pkl")
    with pytest.raises(CheckpointError, match="no regular file"):
        read_checkpoint(folder)
    os.mkfifo(folder / "pipe.pkl")
    with pytest.raises(CheckpointError, match="no regular file"):
        read_checkpoint(folder / "pipe.pkl")


def test_shown_is_one_short_line() -> None:
    assert shown("a\nb\x1b") == r"'a\nb\x1b'"
    assert len(shown("x" * 10_000)) == 83
    assert shown([[]]) == "a list"
    assert shown(1 << 5000) == "a huge integer"
