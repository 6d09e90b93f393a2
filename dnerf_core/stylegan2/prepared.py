"""The super-resolution of one subject, prepared: styles, demodulation and gains are folded into the weights once, for all its views.

With reduced precision (bfloat16 or float16) convolutions run channels last, and an upsampling one becomes a plain one: a transposed
convolution of stride 2 followed by the FIR is one 6x6 filter, whose four phases are four 3x3 filters at the input's size. That is four
times the arithmetic of the transposed convolution, at the full rate of the matrix units, and saves the FIR's pass over memory.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dnerf_core.stylegan2.networks import (
    LRELU_GAIN,
    LRELU_SLOPE,
    SynthesisBlock,
    SynthesisLayer,
    ToRGB,
    demodulation,
    fir_kernel,
    upsample_image,
)
from dnerf_core.stylegan2.superresolution import SuperResolution, input_of
from dnerf_core.work.precision import conv_leaky_relu


class PreparedLayer:
    """A `SynthesisLayer` whose style is known."""

    def __init__(
        self,
        layer: SynthesisLayer,
        w: Tensor,
        noise_mode: str,
        dtype: torch.dtype,
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        """w [1, w_dim]; layout: of the weights and of the input."""
        styles = layer.affine(w)
        weight = layer.weight * styles[0, None, :, None, None]
        weight = weight * (demodulation(layer.squares(), styles)[0, :, None, None, None] * LRELU_GAIN)
        self.up, self.clamp, self.phased = layer.up, layer.conv_clamp, layer.up and dtype != torch.float32
        if self.phased:
            weight = upsampling_phases(weight)
        elif self.up:
            weight = weight.transpose(0, 1)
        self.weight = weight.to(dtype, memory_format=layout)
        self.fir = fir_kernel(self.weight, self.weight.shape[1], gain=4.0) if self.up and not self.phased else None
        bias = layer.bias * LRELU_GAIN
        self.bias = (bias.repeat(4) if self.phased else bias).to(dtype)
        self.noise: Tensor | None = None
        if noise_mode == "const":
            self.noise = (layer.noise_const * (layer.noise_strength * LRELU_GAIN)).to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> [B, O, H', W'], as the layer."""
        if self.noise is None and (self.phased or not self.up):
            # all that follows the convolution is a point's own business, so it is done before the phases are interleaved
            x = self._clamped(conv_leaky_relu(x, self.weight, self.bias))
            return interleave_phases(x) if self.phased else x
        if self.phased:
            x = interleave_phases(F.conv2d(x, self.weight, self.bias, padding=1))
        elif self.fir is not None:
            x = F.conv_transpose2d(x, self.weight, stride=2)
            x = F.conv2d(x, self.fir, self.bias, padding=1, groups=x.shape[1])
        else:
            x = F.conv2d(x, self.weight, self.bias, padding=1)
        return self._clamped(F.leaky_relu_(x if self.noise is None else x.add_(self.noise), LRELU_SLOPE))

    def _clamped(self, x: Tensor) -> Tensor:
        return x if self.clamp is None else clamp_magnitude_(x, self.clamp)


class PreparedToRGB:
    """A `ToRGB` whose style is known."""

    def __init__(self, layer: ToRGB, w: Tensor, dtype: torch.dtype, layout: torch.memory_format = torch.channels_last) -> None:
        """w [1, w_dim]."""
        styles = layer.affine(w) * layer.weight_gain
        self.weight = (layer.weight * styles[0, None, :, None, None]).to(dtype, memory_format=layout)
        self.bias, self.clamp = layer.bias[:, None, None], layer.conv_clamp

    def __call__(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> float32 image [B, 3, H, W]."""
        image = F.conv2d(x, self.weight).float() + self.bias
        return image if self.clamp is None else image.clamp_(-self.clamp, self.clamp)


class PreparedSuperResolution:
    """A `SuperResolution` for one subject."""

    def __init__(
        self,
        module: SuperResolution,
        ws: Tensor,
        dtype: torch.dtype = torch.float32,
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        """ws [1, num_ws, w_dim]; dtype, layout: of the convolutions (images are added up in float32)."""
        self.module, self.dtype, self.layout = module, dtype, layout
        w, mode = ws[:, -1], module.config.noise_mode
        self.blocks = [_PreparedBlock(block, w, mode, dtype, layout) for block in (module.block0, module.block1)]

    def __call__(self, features: Tensor, image: Tensor | None = None) -> Tensor:
        """Images [B, 3, S, S], as the module, of features [B, C, R, R] and raw images [B, 3, R, R] of B views of the subject."""
        features = input_of(self.module, features)
        return self.refine(features, features[:, :3] if image is None else input_of(self.module, image))

    def refine(self, features: Tensor, image: Tensor) -> Tensor:
        """The two blocks alone, on features [B, C, H, W] and raw images [B, 3, H, W] of any size, as the module's `refine`."""
        x = features.to(self.dtype, memory_format=self.layout)
        for block in self.blocks:
            x, image = block(x, image)
        return image


class _PreparedBlock:
    def __init__(
        self, block: SynthesisBlock, w: Tensor, noise_mode: str, dtype: torch.dtype, layout: torch.memory_format
    ) -> None:
        self.up = block.up
        self.conv0 = PreparedLayer(block.conv0, w, noise_mode, dtype, layout)
        self.conv1 = PreparedLayer(block.conv1, w, noise_mode, dtype, layout)
        self.torgb = PreparedToRGB(block.torgb, w, dtype, layout)

    def __call__(self, x: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv1(self.conv0(x))
        return x, self.torgb(x) + (upsample_image(image) if self.up else image)


def clamp_magnitude_(x: Tensor, limit: float) -> Tensor:
    """x.clamp_(-limit, limit).

    For bfloat16 on a CPU on the bits: numbers of one sign order as their 16-bit integers do, and integers run at the memory's speed,
    15 times faster here. (NaN would become the limit.)
    """
    if x.dtype != torch.bfloat16 or x.device.type != "cpu":
        return x.clamp_(-limit, limit)
    bits = x.view(torch.int16)
    highest_bits = int(torch.tensor(limit, dtype=torch.bfloat16).view(torch.int16))
    bits.clamp_(max=highest_bits)
    # flipping the sign bit turns negative numbers into positive ones of the same magnitude, and back
    bits.bitwise_xor_(-(2**15)).clamp_(max=highest_bits).bitwise_xor_(-(2**15))
    return x


def upsampling_phases(weight: Tensor) -> Tensor:
    """The transposed convolution (stride 2) of weight [O, I, 3, 3] and the FIR after it, as one plain convolution [4 O, I, 3, 3].

    With k the full convolution of weight and FIR (6 taps an axis, from -2), output 2 q + p is sum over d in -1..1 of
    x[q + d] k[p - 2 d]. Output channel (py * 2 + px) * O + o is phase (py, px) of channel o; see `interleave_phases`.
    """
    out_channels, in_channels = weight.shape[:2]
    fir = fir_kernel(weight, 1, gain=4.0)
    full = F.conv2d(F.pad(weight.reshape(-1, 1, 3, 3), (3, 3, 3, 3)), fir).reshape(out_channels, in_channels, 6, 6)
    phases = [full[:, :, py::2, px::2].flip(2, 3) for py in (0, 1) for px in (0, 1)]  # taps p + 4, p + 2, p
    return torch.cat(phases)


def interleave_phases(x: Tensor) -> Tensor:
    """[B, 4 O, H, W] phases -> [B, O, 2 H, 2 W], channels last."""
    batch, channels, height, width = x.shape
    split = x.permute(0, 2, 3, 1).reshape(batch, height, width, 2, 2, channels // 4)
    merged = split.permute(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, channels // 4)
    return merged.permute(0, 3, 1, 2)
