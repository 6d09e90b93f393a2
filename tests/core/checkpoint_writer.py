"""Writes a generator's checkpoint in a form that people hold, by the real pickler and the real torch.save of whichever Python runs it.

    python checkpoint_writer.py SPEC.json OUT FORM

Needs torch and numpy alone, from Python 3.8 and torch 1.11 on, and nothing of this project or of anybody's generator: modules of the
published names are made here, empty but for their attributes, with the reduction that the published ones have. SPEC is
{"shapes": {key: shape}, "init_kwargs": {..}, "neural_rendering_resolution": N}; every value is `weight(key, shape)`.
"""

import collections
import gzip
import json
import pickle
import re
import sys
import types
import zlib

import numpy as np
import torch

TRAP_SOURCE = "raise SystemExit('embedded source was executed')\n"


def weight(key, shape):
    """Values of a short period, so that a packed file of them is small; the filters as they must be."""
    if key.endswith("resample_filter"):
        return (np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64).astype(np.float32)
    count = int(np.prod(shape)) if len(shape) else 1
    values = 0.03125 * ((np.arange(count, dtype=np.int64) * 7 + zlib.crc32(key.encode())) % 31 - 15)
    return values.astype(np.float32).reshape(tuple(shape))


def named_module(name):
    parts = name.split(".")
    for index in range(1, len(parts) + 1):
        full = ".".join(parts[:index])
        if full not in sys.modules:
            sys.modules[full] = types.ModuleType(full)
    return sys.modules[name]


def place(module, function_or_class):
    """Makes an object importable, so picklable, by the module's name."""
    function_or_class.__module__ = module
    function_or_class.__qualname__ = function_or_class.__name__
    setattr(named_module(module), function_or_class.__name__, function_or_class)
    return function_or_class


def _reconstruct_persistent_obj(meta):
    raise RuntimeError("these objects are written, not read")


place("torch_utils.persistence", _reconstruct_persistent_obj)


class EasyDict(dict):
    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


place("dnnlib.util", EasyDict)


def persistent(name):
    """A persistent class: its objects reduce to source text and state."""

    def reduced(self):
        meta = {"type": "class", "version": 6, "module_src": TRAP_SOURCE, "class_name": name, "state": dict(self.__dict__)}
        return _reconstruct_persistent_obj, (meta,)

    return type(name, (torch.nn.Module,), {"__reduce__": reduced})


PLAIN = {
    "decoder": place("training.triplane", type("OSGDecoder", (torch.nn.Module,), {})),
    "renderer": place("training.volumetric_rendering.renderer", type("ImportanceRenderer", (torch.nn.Module,), {})),
    "ray_marcher": place("training.volumetric_rendering.ray_marcher", type("MipRayMarcher2", (torch.nn.Module,), {})),
    "ray_sampler": place("training.volumetric_rendering.ray_sampler", type("RaySampler", (torch.nn.Module,), {})),
    "decoder.net": torch.nn.Sequential,
}


def class_of(path, options):
    leaf = path.rpartition(".")[2]
    if path in PLAIN:
        return PLAIN[path]
    if path == "superresolution":
        return persistent(options["rendering_kwargs"]["superresolution_module"].rpartition(".")[2])
    if re.match(r"(backbone\.synthesis\.)?b\d+$|superresolution\.block\d$", path):
        return persistent("SynthesisBlock")
    names = {"backbone": "Generator", "mapping": "MappingNetwork", "synthesis": "SynthesisNetwork", "torgb": "ToRGBLayer"}
    return persistent(names.get(leaf, "SynthesisLayer" if leaf.startswith("conv") else "FullyConnectedLayer"))


def add(module, path, key, tensor, options):
    first, _, rest = key.partition(".")
    if not rest:
        if first in ("resample_filter", "noise_const", "w_avg"):
            module.register_buffer(first, tensor)
        else:
            module.register_parameter(first, torch.nn.Parameter(tensor, requires_grad=False))
        return
    inner = path + "." + first if path else first
    if first not in module._modules:
        module.add_module(first, class_of(inner, options)())
    add(module._modules[first], inner, rest, tensor, options)


def network(spec, label_std=True):
    options = spec["init_kwargs"]
    root = persistent("TriPlaneGenerator")()
    for key, shape in sorted(spec["shapes"].items()):
        add(root, "", key, torch.from_numpy(weight(key, shape)), options)
    net = root.decoder.net
    net.add_module("1", torch.nn.Softplus())
    renderer = PLAIN["renderer"]()
    renderer.ray_marcher = PLAIN["ray_marcher"]()
    eye = torch.eye(3)
    renderer.plane_axes = torch.stack([eye, eye[[0, 2, 1]], eye[[2, 0, 1]]])
    root.renderer, root.ray_sampler = renderer, PLAIN["ray_sampler"]()
    for name in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"):
        setattr(root, name, options[name])
    root.neural_rendering_resolution = spec["neural_rendering_resolution"]
    root.rendering_kwargs = EasyDict(options["rendering_kwargs"])
    root._init_args, root._init_kwargs, root._last_planes = (), EasyDict(options), None
    root.backbone.img_resolution, root.backbone.img_channels = 256, 96
    gain = np.float64(1) / np.sqrt(np.float64(8))
    for module in root.backbone.mapping.children():
        if module is not getattr(root.backbone.mapping, "embed", None):
            module.weight_gain, module.bias_gain = 0.01 * gain, 0.01
    if label_std:
        root.register_buffer("dataset_label_std", torch.rand(25))
    return root.eval()


def contents(spec, form):
    options = spec["init_kwargs"]
    state = collections.OrderedDict
    if "module" in form:
        return network(spec)
    if "snapshot" in form:
        return {
            "G": network(spec),
            "D": persistent("DualDiscriminator")(),
            "G_ema": network(spec),
            "training_set_kwargs": EasyDict(
                class_name="training.dataset.ImageFolderDataset", resolution=options["img_resolution"]
            ),
            "augment_pipe": None,
            **({"w_pivot": np.ones((1, 14, 4), np.float32), "step": np.int64(7)} if "beside" in form else {}),
        }
    own = network(spec, label_std="label" in form).state_dict()
    if "half" in form:
        own = state((key, value.half()) for key, value in own.items())
    if "double" in form:
        own = state((key, value.double()) for key, value in own.items())
    if "bfloat" in form:
        own = state((key, value.bfloat16()) for key, value in own.items())
    if "encoder" in form:
        arguments = dict(options, rendering_kwargs=dict(options["rendering_kwargs"]))
        return {"G_ema": own, "init_kwargs": arguments, "latent_avg": torch.zeros(14, options["w_dim"])}
    if "prefixed" in form:
        both = state(("decoder." + key, value) for key, value in own.items())
        both["encoder.input_layer.0.weight"] = torch.zeros(3)
        return {"state_dict": both, "opts": {"lr": 1e-4}, "step": 5, "steps": torch.tensor([5])}
    if "three" in form:
        return {"G": own, "D": state({"b4.out.weight": torch.zeros(1, 4)}), "G_ema": own}
    return own


def write(spec, path, form):
    """FORM is words: of the content (snapshot, module, encoder, prefixed, three, bare; half, double, bfloat, label, beside) and of the
    file (pickle2, pickle4, pickle5, zip, legacy; gzip, cuda).
    """
    value = contents(spec, form)
    if "cuda" in form:
        torch.serialization.location_tag = lambda storage: "cuda:0"
    with (gzip.open if "gzip" in form else open)(path, "wb") as file:
        if "pickle" in form:
            pickle.dump(value, file, protocol=int(form.partition("pickle")[2][0]))
        else:
            torch.save(value, file, _use_new_zipfile_serialization="legacy" not in form)


if __name__ == "__main__":
    with open(sys.argv[1]) as described:
        write(json.load(described), sys.argv[2], sys.argv[3])
