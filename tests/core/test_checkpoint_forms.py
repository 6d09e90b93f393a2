"""Every form a generator is met in imports: written here by the real pickler and torch.save, and stored files of older programs."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerf_core.backbone.config_json import config_to_json
from dnerf_core.checkpoints.expected_shapes import is_filter
from dnerf_core.checkpoints.inert.mapped_file import MIN_UNPACKED_LIMIT_BYTES
from dnerf_core.checkpoints.release import ImportOptions, import_release, read_release
from dnerf_core.errors import CheckpointError, DNeRFError, UsageError
from dnerf_core.generator.config import PRESETS, BackboneConfig, GeneratorConfig, MappingConfig
from tests.core import checkpoint_writer
from tests.core import hostile as h
from tests.core.checkpoint_spec import CONFIG, init_kwargs, spec

STORED = Path(__file__).parent / "files"
SHAPES = spec()["shapes"]
CARS = ImportOptions(config="shapenetcars128-64")
AFTER_RELEASES = "no neural resolution in the file: 64, as the releases of 128 px; --neural-resolution names another"
NARROWER = "the weights' shapes decide: channel_base 256 in place of 32768, channel_max 4 in place of 512"
AVERAGE = "left out, beside G_ema: 'latent_avg' (float32 [14, 4])"


@pytest.fixture(autouse=True)
def _own_location_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer of "cuda" forms replaces torch's tag of a storage; each test gets torch's own back."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.serialization, "location_tag", torch.serialization.location_tag)


def written(folder: Path, form: str, name: str = "mine.pth", config: GeneratorConfig = CONFIG) -> Path:
    path = folder / name
    checkpoint_writer.write(spec(config), str(path), form)
    return path


def expected_config(name: str = "mine", neural_resolution: int = 16) -> GeneratorConfig:
    rays = dataclasses.replace(CONFIG.rays, neural_resolution=neural_resolution)
    return dataclasses.replace(CONFIG, name=name, rays=rays, cameras=PRESETS["shapenetcars128-64"].cameras)


def assert_weights(arrays: dict[str, np.ndarray], shapes: dict[str, Any] = SHAPES) -> None:
    assert set(arrays) == {key for key in shapes if not is_filter(key)}
    for key, array in arrays.items():
        assert array.dtype == np.float32
        # of few bits each, so that float16 and bfloat16 hold them too
        np.testing.assert_array_equal(array, checkpoint_writer.weight(key, shapes[key]), err_msg=key)


WHOLE = ["snapshot-pickle4", "snapshot-pickle2", "snapshot-pickle5", "snapshot-pickle3", "snapshot-zip", "snapshot-legacy"]
MODULES = ["module-pickle4", "module-zip", "module-legacy"]


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
@pytest.mark.parametrize("form", [*WHOLE, *MODULES, "snapshot-pickle4-gzip", "snapshot-cuda-pickle4"])
def test_a_network_of_the_training_imports_in_any_file(tmp_path: Path, form: str) -> None:
    release = read_release(written(tmp_path, form))
    assert_weights(release.arrays)
    assert release.config == expected_config()
    assert release.remarks == ()


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_lies_beside_a_network_is_left_out_and_told(tmp_path: Path, protocol: int) -> None:
    release = read_release(written(tmp_path, f"snapshot-beside-pickle{protocol}"))
    assert_weights(release.arrays)
    assert release.remarks == ("left out, beside G_ema: 'w_pivot' (an array [1, 14, 4]), 'step' (7)",)


@pytest.mark.parametrize(
    ("form", "remarks"),
    [
        ("encoder-zip", (AFTER_RELEASES, AVERAGE)),
        ("encoder-legacy", (AFTER_RELEASES, AVERAGE)),
        ("encoder-pickle4", (AFTER_RELEASES, AVERAGE)),
        ("encoder-half-zip", (AFTER_RELEASES, "weights stored as float16 become float32", AVERAGE)),
        ("encoder-half-cuda-zip", (AFTER_RELEASES, "weights stored as float16 become float32", AVERAGE)),
    ],
)
def test_weights_with_their_construction_arguments_import(tmp_path: Path, form: str, remarks: tuple[str, ...]) -> None:
    release = read_release(written(tmp_path, form))
    assert_weights(release.arrays)
    assert release.config == expected_config(neural_resolution=64)
    assert release.remarks == remarks


@pytest.mark.parametrize(
    ("form", "remarks"),
    [
        ("bare-zip", ()),
        ("bare-legacy", ()),
        ("bare-pickle4", ()),
        ("bare-label-zip", ()),
        ("bare-zip-gzip", ()),
        ("bare-double-zip", ("weights stored as float64 become float32",)),
        ("bare-bfloat-legacy", ("weights stored as bfloat16 become float32",)),
        ("three-zip", ()),
        (
            "prefixed-zip",
            ("left out, beside state_dict/decoder: 'opts' (1 values), 'step' (5), 'steps' (int64 [1]) and 1 more",),
        ),
    ],
)
def test_weights_alone_import_by_a_given_configuration(tmp_path: Path, form: str, remarks: tuple[str, ...]) -> None:
    path = written(tmp_path, form)
    release = read_release(path, CARS)
    assert_weights(release.arrays)
    assert release.config.rays == PRESETS["shapenetcars128-64"].rays
    assert release.config.backbone == CONFIG.backbone and release.config.mapping == CONFIG.mapping
    assert release.remarks == (NARROWER, *remarks)
    with pytest.raises(
        CheckpointError, match=r"expected settings beside the weights, found none; .*--config, a release \(ffhq512-128"
    ):
        read_release(path)


def test_a_safetensors_of_weights_alone_imports(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = checkpoint_writer.network(spec(), label_std=False).state_dict()
    for name, kind, remarks in (("a", "float", ()), ("b", "bfloat16", ("weights stored as bfloat16 become float32",))):
        save_file({key: getattr(value, kind)().contiguous() for key, value in state.items()}, tmp_path / f"{name}.safetensors")
        release = read_release(tmp_path / f"{name}.safetensors", CARS)
        assert_weights(release.arrays)
        assert release.remarks == (NARROWER, *remarks)


@pytest.mark.parametrize(
    ("stored", "remarks"),
    [
        ("snapshot-torch1.11-python3.8-numpy1.pkl.gz", ()),
        ("snapshot-torch2.13-numpy2.pkl.gz", ("left out, beside G_ema: 'w_pivot' (an array [1, 14, 4]), 'step' (7)",)),
        ("module-torch1.11-python3.8.pth.gz", ()),
        ("encoder-torch1.11-legacy.pth.gz", (AFTER_RELEASES, AVERAGE)),
    ],
)
def test_files_of_other_versions_import_packed_and_unpacked(tmp_path: Path, stored: str, remarks: tuple[str, ...]) -> None:
    unpacked = tmp_path / "mine.bin"
    with gzip.open(STORED / stored, "rb") as packed, unpacked.open("wb") as file:
        shutil.copyfileobj(packed, file)
    for path in (STORED / stored, unpacked):
        release = read_release(path)
        assert_weights(release.arrays)
        size = 64 if AFTER_RELEASES in remarks else 16
        assert release.config == expected_config(path.name.removesuffix(".gz").rpartition(".")[0], size)
        assert release.remarks == remarks


def test_the_numpy_2_file_holds_its_names(tmp_path: Path) -> None:
    """So that the stored file stays the one that numpy 1's names do not read."""
    with gzip.open(STORED / "snapshot-torch2.13-numpy2.pkl.gz", "rb") as file:
        content = file.read()
    assert b"numpy._core.multiarray" in content and b"numpy.core.multiarray" not in content
    assert b"dataset_label_std" in content


# Settings


def _as_given(folder: Path, value: Any) -> ImportOptions:
    path = folder / "given.json"
    path.write_text(json.dumps(value))
    return ImportOptions(config=str(path))


def test_a_given_json_is_the_trainings_the_arguments_or_our_own(tmp_path: Path) -> None:
    path = written(tmp_path, "bare-zip")
    arguments = init_kwargs()
    training = {
        "G_kwargs": {key: value for key, value in arguments.items() if key != "img_resolution"},
        "training_set_kwargs": {"resolution": 128},
        "loss_kwargs": {"neural_rendering_resolution_initial": 16, "neural_rendering_resolution_final": None},
    }
    growing = copy.deepcopy(training)
    growing["loss_kwargs"]["neural_rendering_resolution_final"] = 24
    own = config_to_json(expected_config("anything"))
    for given, size in (
        (training, 16),
        (growing, 24),
        ({**arguments, "neural_rendering_resolution": 16}, 16),
        ({"init_kwargs": {**arguments, "neural_rendering_resolution": 16}}, 16),
        (own, 16),
        ({"path": "x", "generator": own}, 16),
    ):
        release = read_release(path, _as_given(tmp_path, given))
        assert release.config == expected_config(neural_resolution=size)
        assert_weights(release.arrays)
        assert release.remarks == ()
    asked = dataclasses.replace(_as_given(tmp_path, own), neural_resolution=73)
    assert read_release(path, asked).config == expected_config(neural_resolution=73)


def test_shapes_decide_over_what_is_given(tmp_path: Path) -> None:
    arguments = init_kwargs() | {"c_dim": 0, "channel_base": 16384, "img_resolution": 512, "neural_rendering_resolution": 16}
    arguments["rendering_kwargs"]["superresolution_module"] = "training.superresolution.SuperresolutionHybrid8XDC"
    release = read_release(written(tmp_path, "bare-zip"), _as_given(tmp_path, arguments))
    assert release.config == expected_config()
    assert release.remarks == (
        "the weights' shapes decide: c_dim 25 in place of 0, img_resolution 128 in place of 512, channel_base 256 in place of 16384, "
        "super-resolution 2X in place of 'training.superresolution.SuperresolutionHybrid8XDC'",
    )
    faces = read_release(written(tmp_path, "bare-zip"), ImportOptions(config="ffhq512-128"))
    assert (faces.config.image_size, faces.config.superresolution.kind) == (128, "2X")
    assert "image size 128 in place of 512, super-resolution 2X in place of 8XDC" in faces.remarks[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"x": 1}, "expected settings of a generator, found the names ['x']"),
        ({"G_kwargs": {}}, "G_kwargs: expected rendering_kwargs"),
        ([], "expected a JSON object, found list"),
        (
            {"rendering_kwargs": {"box_warp": 1}},
            "given.json: rendering_kwargs.ray_start: expected a number from 0 to 1e+06, found None; nothing",
        ),
        ({"generator": {"rays": {}, "triplane": {}}}, "expected the names"),
    ],
)
def test_a_given_json_without_settings_is_refused(tmp_path: Path, given: Any, expected: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_release(written(tmp_path, "bare-zip"), _as_given(tmp_path, given))
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_a_given_name_that_is_none_and_settings_given_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--config ffhq: expected a release \(ffhq512-128, .*\) or a JSON file, found neither"):
        read_release(written(tmp_path, "bare-zip"), ImportOptions(config="ffhq"))
    for form in ("encoder-zip", "snapshot-pickle4"):
        with pytest.raises(UsageError, match="carries its generator's own settings; leave it out"):
            read_release(written(tmp_path, form), CARS)


@pytest.mark.parametrize(
    ("name", "size", "remark"),
    [
        ("cars128-64.pth", 64, "neural resolution 64, after the file's name; --neural-resolution names another"),
        ("my_shapenetcars128-32-best.pth", 32, "neural resolution 32, after the file's name; --neural-resolution names another"),
        ("ffhq512-32.pth", 64, AFTER_RELEASES),
        ("1128-32.pth", 64, AFTER_RELEASES),
    ],
)
def test_the_neural_resolution_comes_from_the_name_where_the_file_has_none(
    tmp_path: Path, name: str, size: int, remark: str
) -> None:
    release = read_release(written(tmp_path, "encoder-zip", name))
    assert release.config.rays.neural_resolution == size
    assert release.remarks[0] == remark
    asked = read_release(written(tmp_path, "encoder-zip", name), ImportOptions(neural_resolution=73))
    assert asked.config.rays.neural_resolution == 73
    own = read_release(written(tmp_path, "snapshot-pickle4"), ImportOptions(neural_resolution=73))
    assert own.config.rays.neural_resolution == 73
    assert own.remarks == ("neural resolution 73, as asked, in place of the file's 16",)


# Options of the training


def trained(**changes: Any) -> GeneratorConfig:
    return dataclasses.replace(CONFIG, **changes)


@pytest.mark.parametrize(
    ("config", "remarks"),
    [
        (trained(mapping=MappingConfig(z_dim=4, w_dim=4, c_dim=0)), ()),
        (trained(mapping=MappingConfig(z_dim=4, w_dim=4, c_zero=True)), ()),
        (trained(mapping=MappingConfig(z_dim=4, w_dim=4, layers=1)), ()),
        (trained(mapping=MappingConfig(z_dim=4, w_dim=4, layers=8)), ()),
        (trained(rays=dataclasses.replace(CONFIG.rays, samples_coarse=8, samples_fine=0)), ()),
        (trained(rays=dataclasses.replace(CONFIG.rays, samples_coarse=96, samples_fine=96, neural_resolution=8)), ()),
        (trained(rays=dataclasses.replace(CONFIG.rays, neural_resolution=73)), ()),
        (trained(backbone=BackboneConfig(channel_base=512, channel_max=3)), ()),
        (
            trained(superresolution=dataclasses.replace(CONFIG.superresolution, noise_mode="random")),
            ("noise mode 'random' is kept by its name; views are made without noise, so that they repeat",),
        ),
    ],
    ids=[
        "c_dim 0",
        "gen_pose_cond off",
        "1 layer",
        "8 layers",
        "no fine samples",
        "96+96",
        "73 px",
        "channel_base",
        "random noise",
    ],
)
def test_options_of_the_training_import_and_render(tmp_path: Path, config: GeneratorConfig, remarks: tuple[str, ...]) -> None:
    from dnerf_core.camera import arc_cameras
    from dnerf_core.model import Model

    path = written(tmp_path, "snapshot-pickle4", "mine.pkl", config)
    release = read_release(path)
    assert release.config == dataclasses.replace(config, name="mine", cameras=PRESETS["shapenetcars128-64"].cameras)
    assert release.remarks == remarks
    assert_weights(release.arrays, spec(config)["shapes"])
    import_release(path, tmp_path / "mine.safetensors")
    for exact in (True, False):
        model = Model.load(tmp_path / "mine.safetensors", exact=exact)
        camera = arc_cameras(model.config.cameras, count=1)[0]
        views = [model.subject(3).render(camera) for _ in range(2)]
        assert views[0].rgb.shape == (128, 128, 3)
        for name in ("rgb", "depth_planar"):
            first, second = (np.asarray(getattr(view, name)) for view in views)
            np.testing.assert_array_equal(first, second)
            assert not np.isnan(first).any()


# What is not a whole generator


def _state(folder: Path, change: Any) -> Path:
    torch = pytest.importorskip("torch")
    state = checkpoint_writer.network(spec(), label_std=False).state_dict()
    change(state)
    torch.save(state, folder / "changed.pth")
    return folder / "changed.pth"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: s.pop("decoder.net.0.bias"), "missing 'decoder.net.0.bias'"),
        (lambda s: s.pop("backbone.synthesis.b4.const"), "missing 'backbone.synthesis.b4.const'"),
        (lambda s: s.pop("backbone.mapping.w_avg"), "missing 'backbone.mapping.w_avg'"),
        (lambda s: s.pop("superresolution.block1.conv1.noise_const"), "missing 'superresolution.block1.conv1.noise_const'"),
        (
            lambda s: s.update({"decoder.net.0.bias": s["decoder.net.0.bias"][:3]}),
            "decoder.net.0.bias: expected shape [64], found [3]",
        ),
        (
            lambda s: s.update({"decoder.net.0.weight": s["decoder.net.0.bias"]}),
            "decoder.net.0.weight: expected 2 axes, found shape [64]",
        ),
        (
            lambda s: [s.pop(key) for key in list(s) if ".b8." in key],
            "expected blocks backbone.synthesis.b4, b8, .., found [4, 16",
        ),
        (
            lambda s: s.update({"superresolution.block1.conv1.noise_const": s["backbone.synthesis.b8.conv1.noise_const"]}),
            "super-resolution: expected one of 8XDC (512 px, 256 and 128 channels)",
        ),
        (lambda s: s.update({"decoder.net.2.bias": s["decoder.net.2.bias"] / 0}), "decoder.net.2.bias: expected finite values"),
    ],
)
def test_a_state_without_a_tensor_or_of_another_shape_is_refused(tmp_path: Path, change: Any, expected: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        import_release(_state(tmp_path, change), tmp_path / "out.safetensors", CARS)
    assert expected in str(caught.value) and "again" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["changed.pth"]


def test_more_tensors_than_a_generator_has_are_told(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    decay = {"decoder.ema.decay": np.float32(0.5), "dataset_label_std": np.ones(25, np.float32)}
    path = _state(
        tmp_path, lambda state: state.update({key: torch.from_numpy(np.asarray(value)) for key, value in decay.items()})
    )
    release = read_release(path, CARS)
    assert_weights(release.arrays)
    assert release.remarks[1:] == ("left out of its network: 'decoder.ema.decay', which EG3D's generator does not have",)
    network = h.network(h.NARROW)
    network.add("backbone.extra.weight", np.zeros(3))
    (tmp_path / "more.pkl").write_bytes(h.release(network))
    assert read_release(tmp_path / "more.pkl").remarks == (
        "left out of G_ema: 'backbone.extra.weight', which EG3D's generator does not have",
    )


def test_one_of_several_generators_is_chosen(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    state = checkpoint_writer.network(spec(), label_std=False).state_dict()
    doubled = {key: value * 2 for key, value in state.items()}
    path = tmp_path / "two.pth"
    torch.save({"student": state, "teacher": doubled}, path)
    with pytest.raises(UsageError, match="expected one generator, found 'student', 'teacher'; choose one by --network"):
        read_release(path, CARS)
    with pytest.raises(UsageError, match="--network pupil: expected one of 'student', 'teacher'"):
        read_release(path, dataclasses.replace(CARS, network="pupil"))
    assert_weights(read_release(path, dataclasses.replace(CARS, network="student")).arrays)
    torch.save({"G": doubled, "G_ema": state}, path)
    assert_weights(read_release(path, CARS).arrays)
    torch.save({"model": {"generator": doubled, "ema": state}}, path)
    assert_weights(read_release(path, CARS).arrays)
    prefixed = {f"G.{key}": value for key, value in doubled.items()} | {
        f"G_ema.module.{key}": value for key, value in state.items()
    }
    torch.save({"state_dict": prefixed}, path)
    assert_weights(read_release(path, CARS).arrays)


# Packed files


def test_packed_files_that_are_damaged_or_too_large_are_refused(tmp_path: Path) -> None:
    good = written(tmp_path, "bare-zip-gzip", "mine.pth.gz")
    raw = good.read_bytes()
    path = tmp_path / "bad.pth.gz"
    for data, expected in (
        (raw[:-20], "found a damaged one"),
        (raw[:100] + bytes([raw[100] ^ 255]) + raw[101:], "found a damaged one"),
        (gzip.compress(b""), "found an empty one"),
        (gzip.compress(b"hello"), "found text"),
        (gzip.compress(bytes(MIN_UNPACKED_LIMIT_BYTES + 1), 9), f"grows beyond {MIN_UNPACKED_LIMIT_BYTES} bytes"),
    ):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=re.escape(expected)):
            read_release(path, CARS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xfd7zXZ\x00" + bytes(40), "a file packed by xz; unpack it"),
        (b"BZh9" + bytes(40), "a file packed by bzip2; unpack it"),
        (b"\x28\xb5\x2f\xfd" + bytes(40), "a file packed by zstd; unpack it"),
        (bytes(257) + b"ustar" + bytes(250), "a tar archive; unpack it"),
        (b"\xef\xbb\xbf" + b'{"a": 1}', "JSON; pass the checkpoint itself"),
        (b"<!DOCTYPE html>", "a web page in place of the file; download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
    ],
)
def test_packed_and_other_files_are_named(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(CheckpointError, match=re.escape(expected)):
        read_release(tmp_path / "x.pkl")


def test_an_archive_with_a_checkpoint_inside_is_named(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "eg3d_1.zip", "w") as archive:
        archive.writestr("eg3d/ffhq512-128.pkl", b"x")
    with pytest.raises(
        CheckpointError, match=r"is a zip file with 'eg3d/ffhq512-128.pkl' inside: unpack it and pass that"
    ) as caught:
        read_release(tmp_path / "eg3d_1.zip")
    assert "again" not in str(caught.value)


def test_a_zip_with_one_bit_changed_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "bare-zip")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DNeRFError, match="is a damaged zip file"):
        read_release(path, CARS)
