"""StyleGAN2's mapping and synthesis (Karras et al., CVPR 2020), the part of it that EG3D's releases use.

Module and parameter names are those of the published state, so that a converted checkpoint loads by name. The FIR
filters of the published state are constants and are not kept: here they are arithmetic.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnerf_core.stylegan2.config import BackboneConfig, MappingConfig

LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)


def normalize_second_moment(x: Tensor) -> Tensor:
    """Scale each row of x [B, N] to unit mean square (StyleGAN2's pixel norm on vectors; eps 1e-8)."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


def _first_values(*shape: int, divided_by: float = 1.0) -> Tensor:
    """Normal random numbers to begin with; on the meta device, where there are no numbers, the shape alone.

    To draw from a distribution there, or to divide, torch imports its whole compiler, which takes longer than to load a model.
    """
    values = torch.empty(*shape)
    return values if values.is_meta else values.normal_().div_(divided_by)


class FullyConnected(nn.Module):
    """Linear layer with run-time gains: y = x (weight * lr_mul / sqrt(fan_in))^T + bias * lr_mul (equalised learning rate).

    Args:
        in_features, out_features: widths.
        lr_mul: learning rate multiplier; stored weights are 1/lr_mul times larger.
        bias_init: initial value of the effective bias.
    """

    def __init__(self, in_features: int, out_features: int, *, lr_mul: float = 1.0, bias_init: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(_first_values(out_features, in_features, divided_by=lr_mul))
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_mul))
        self.weight_gain = lr_mul / math.sqrt(in_features)
        self.bias_gain = lr_mul

    def forward(self, x: Tensor) -> Tensor:
        """Map x [..., in_features] to [..., out_features]."""
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class Mapping(nn.Module):
    """(z, conditioning) -> w, one w repeated for every layer, with truncation towards the mean w (EG3D section 4.3)."""

    w_avg: Tensor

    def __init__(self, config: MappingConfig, num_ws: int) -> None:
        super().__init__()
        self.config, self.num_ws = config, num_ws
        width = config.z_dim
        if config.c_dim:
            self.embed = FullyConnected(config.c_dim, config.w_dim)
            width += config.w_dim
        for index in range(config.layers):
            layer = FullyConnected(width if index == 0 else config.w_dim, config.w_dim, lr_mul=0.01)
            setattr(self, f"fc{index}", layer)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, z: Tensor, conditioning: Tensor | None, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """ws [B, num_ws, w_dim] of latents z [B, z_dim].

        Args:
            conditioning: camera [B, 25] (cam2world row-major, normalised intrinsics); unused when the config has c_dim 0.
            truncation: the factor psi: 1 keeps w, 0 gives the mean.
            cutoff: number of leading layers that are truncated; None: all.
        """
        x = normalize_second_moment(z)
        if self.config.c_dim:
            if conditioning is None:
                raise ValueError(f"conditioning: expected a tensor [B, {self.config.c_dim}], found None; pass the camera")
            c = torch.zeros_like(conditioning) if self.config.c_zero else conditioning * self.config.c_scale
            x = torch.cat([x, normalize_second_moment(self.embed(c))], dim=1)
        for index in range(self.config.layers):
            x = F.leaky_relu(getattr(self, f"fc{index}")(x), LRELU_SLOPE) * LRELU_GAIN
        ws = x.unsqueeze(1).repeat(1, self.num_ws, 1)
        if truncation != 1.0:
            cutoff = self.num_ws if cutoff is None else cutoff
            truncated = self.w_avg.lerp(ws[:, :cutoff], truncation)
            ws = torch.cat([truncated, ws[:, cutoff:]], dim=1)
        return ws


def fir_kernel(like: Tensor, channels: int, gain: float) -> Tensor:
    """The FIR outer([1, 3, 3, 1], [1, 3, 3, 1]), summing to `gain`, as depthwise weights [channels, 1, 4, 4]."""
    # [1, 3, 3, 1] as arithmetic: a tensor of given numbers would be brought to a device, which the host waits for, at every layer
    taps = 4 - 2 * (torch.arange(4, dtype=like.dtype, device=like.device) - 1.5).abs()
    kernel = torch.outer(taps, taps) * (gain / taps.sum().square())
    return kernel.expand(channels, 1, 4, 4)


def upsample_image(image: Tensor) -> Tensor:
    """Upsample image [B, C, H, W] twofold with the FIR [1, 3, 3, 1], zeros outside.

    Zero insertion followed by this FIR weighs the two nearest samples 3/4 and 1/4: bilinear interpolation, corners not
    aligned, of the image with a rim of zeros. So it is computed as that.
    """
    return F.interpolate(F.pad(image, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]


def modulated_conv(x: Tensor, weight: Tensor, styles: Tensor, *, up: bool = False) -> Tensor:
    """Convolve x [B, I, H, W] with weight [O, I, k, k] whose input channels are scaled by styles [B, I] (StyleGAN2 section 2.2).

    The scales are applied to the activations before one convolution shared by the batch, which equals scaling the weights.
    `up` doubles the size by a transposed convolution followed by the FIR.
    """
    x = x * styles[:, :, None, None].to(x.dtype)
    if up:
        x = F.conv_transpose2d(x, weight.transpose(0, 1).to(x.dtype), stride=2)
        return F.conv2d(x, fir_kernel(x, x.shape[1], gain=4.0), padding=1, groups=x.shape[1])
    return F.conv2d(x, weight.to(x.dtype), padding=weight.shape[-1] // 2)


def demodulation(squares: Tensor, styles: Tensor) -> Tensor:
    """One over the norm of each output channel's scaled weights, [B, O] (StyleGAN2 equation 3; eps 1e-8).

    Args:
        squares: [O, I], the squared weights summed over the kernel.
        styles: [B, I].
    """
    return (styles.square() @ squares.t() + 1e-8).rsqrt()


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, constant noise, bias, leaky ReLU, optional clamp."""

    noise_const: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, w_dim: int, resolution: int, *, up: bool, conv_clamp: float | None
    ) -> None:
        super().__init__()
        self.up, self.conv_clamp = up, conv_clamp
        self._squares: tuple[tuple[int, int], Tensor] | None = None
        self.affine = FullyConnected(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(_first_values(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", _first_values(resolution, resolution))

    def squares(self) -> Tensor:
        """Squared weights summed over the kernel [O, I]; those of a frozen layer are kept until the weights change."""
        if self.weight.requires_grad:
            return self.weight.square().sum(dim=(2, 3))
        state = (self.weight.data_ptr(), self.weight._version)
        if self._squares is None or self._squares[0] != state:
            self._squares = (state, self.weight.detach().square().sum(dim=(2, 3)))
        return self._squares[1]

    def forward(self, x: Tensor, w: Tensor, noise_mode: str) -> Tensor:
        """x [B, I, H, W], w [B, w_dim] -> [B, O, H', W'] with H' = 2H if this layer upsamples; noise_mode "const" or "none"."""
        styles = self.affine(w)
        x = modulated_conv(x, self.weight, styles, up=self.up)
        # the gain after the leaky ReLU is moved before it, and all that is added or multiplied there happens in one pass
        shift = self.bias[:, None, None] * LRELU_GAIN
        if noise_mode == "const":
            shift = shift + self.noise_const * (self.noise_strength * LRELU_GAIN)
        scale = demodulation(self.squares(), styles) * LRELU_GAIN
        # in place, which autograd takes as well: neither the multiplication nor the leaky ReLU needs the value it overwrites
        x = F.leaky_relu_(torch.addcmul(shift.to(x.dtype), x, scale[:, :, None, None].to(x.dtype)), LRELU_SLOPE)
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation, to image (or plane) channels."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, *, conv_clamp: float | None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnected(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(_first_values(out_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.weight_gain = 1.0 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, I, H, W], w [B, w_dim] -> float32 image [B, O, H, W]."""
        x = modulated_conv(x, self.weight, self.affine(w) * self.weight_gain)
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        x = x + self.bias[None, :, None, None]
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)


class SynthesisBlock(nn.Module):
    """One resolution of the "skip" architecture: convolutions, then an image added to the upsampled image so far.

    With `in_channels` 0 it starts from a learned constant and has only conv1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        image_channels: int,
        *,
        up: bool = True,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.up = up
        self.num_convs = 2 if in_channels else 1
        if in_channels:
            self.conv0 = SynthesisLayer(in_channels, out_channels, w_dim, resolution, up=up, conv_clamp=conv_clamp)
        else:
            self.const = nn.Parameter(_first_values(out_channels, resolution, resolution))
        self.conv1 = SynthesisLayer(out_channels, out_channels, w_dim, resolution, up=False, conv_clamp=conv_clamp)
        self.torgb = ToRGB(out_channels, image_channels, w_dim, conv_clamp=conv_clamp)

    def forward(self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise_mode: str) -> tuple[Tensor, Tensor]:
        """Features [B, O, R, R] and the image so far [B, image_channels, R, R], from those of the block before.

        Args:
            x, image: outputs of the block before; None for the first block.
            ws: [B, num_convs + 1, w_dim].
        """
        x = self.const.unsqueeze(0).expand(ws.shape[0], -1, -1, -1) if x is None else self.conv0(x, ws[:, 0], noise_mode)
        x = self.conv1(x, ws[:, self.num_convs - 1], noise_mode)
        y = self.torgb(x, ws[:, self.num_convs])
        if image is not None:
            y = y + (upsample_image(image) if self.up else image)
        return x, y


class Synthesis(nn.Module):
    """Blocks b4 .. b<resolution>, whose images have `image_channels` channels: those of all planes side by side, or of a background."""

    def __init__(self, config: BackboneConfig, w_dim: int, image_channels: int) -> None:
        super().__init__()
        self.config = config
        in_channels = 0
        for resolution in config.block_resolutions:
            out_channels = config.channels(resolution)
            block = SynthesisBlock(in_channels, out_channels, w_dim, resolution, image_channels, conv_clamp=config.conv_clamp)
            setattr(self, f"b{resolution}", block)
            in_channels = out_channels

    def forward(
        self, ws: Tensor, noise_mode: str = "const", until: int | None = None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Run the blocks on ws [B, num_ws, w_dim].

        Args:
            until: resolution of the last block to run; None: all. The images are complete at every scale, so this gives
                coarser planes for less work.
        Returns:
            The last image [B, image_channels, R, R]; every block's hidden features [B, channels(r), r, r]; every block's
            image so far [B, image_channels, r, r].
        """
        x: Tensor | None = None
        image: Tensor | None = None
        features, block_outputs = [], []
        start = 0
        for resolution in self.config.block_resolutions:
            block: SynthesisBlock = getattr(self, f"b{resolution}")
            x, image = block(x, image, ws[:, start : start + block.num_convs + 1], noise_mode)
            # the next block starts after the convolutions, so that its first one shares this torgb's w
            start += block.num_convs
            features.append(x)
            block_outputs.append(image)
            if resolution == until:
                break
        assert image is not None
        return image, features, block_outputs


class Backbone(nn.Module):
    """Mapping and synthesis under their published names."""

    def __init__(self, mapping: MappingConfig, synthesis: BackboneConfig, image_channels: int) -> None:
        super().__init__()
        self.mapping = Mapping(mapping, synthesis.num_ws)
        self.synthesis = Synthesis(synthesis, mapping.w_dim, image_channels)
