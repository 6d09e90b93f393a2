"""Pictures and lines drawn over an editor.

Blender blends overlays in linear colours and shows them as sRGB. Its own image shader takes sRGB values for linear ones up to 4.x,
and converts them from 5.0 on; so there is a shader here, which is the same in all.
"""

from __future__ import annotations

from typing import Any

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

_VERTEX = "void main() { uv = corner; gl_Position = matrix * vec4(place.xy + corner * place.zw, 0.0, 1.0); }"
_FRAGMENT = """
void main() {
    vec4 pixel = texture(picture, uv);
    vec3 dark = pixel.rgb / 12.92;
    vec3 bright = pow((pixel.rgb + 0.055) / 1.055, vec3(2.4));
    color = vec4(mix(bright, dark, vec3(lessThanEqual(pixel.rgb, vec3(0.04045)))), pixel.a);
}
"""
_FONT, _SIGN_POINTS = 0, 13.0
_shader: Any = None
_batch: Any = None


def picture_texture(pixels: NDArray[np.float32]) -> Any:
    """A texture of sRGB values and alpha, float32 [H, W, 4] in [0, 1] from the bottom row up."""
    height, width = pixels.shape[:2]
    data = gpu.types.Buffer("FLOAT", pixels.size, np.ascontiguousarray(pixels).ravel())
    return gpu.types.GPUTexture((width, height), format="RGBA8", data=data)


def draw_picture(texture: Any, left: float, bottom: float, width: float, height: float) -> None:
    """Draw it over the region that is being drawn, in its pixels."""
    shader, batch = _shader_and_square()
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_float("matrix", gpu.matrix.get_projection_matrix() @ gpu.matrix.get_model_view_matrix())
    shader.uniform_float("place", (left, bottom, width, height))
    shader.uniform_sampler("picture", texture)
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def draw_sign(text: str, middle_x: float, middle_y: float) -> None:
    """Write a line over the region that is being drawn, its middle there, in its pixels."""
    blf.size(_FONT, _SIGN_POINTS * bpy.context.preferences.system.ui_scale)
    width, height = blf.dimensions(_FONT, text)
    blf.position(_FONT, middle_x - width / 2.0, middle_y - height / 2.0, 0.0)
    blf.enable(_FONT, blf.SHADOW)
    blf.shadow(_FONT, 3, 0.0, 0.0, 0.0, 0.8)
    blf.color(_FONT, 1.0, 1.0, 1.0, 1.0)
    blf.draw(_FONT, text)
    blf.disable(_FONT, blf.SHADOW)


def _shader_and_square() -> tuple[Any, Any]:
    """Shader and square, made when they are first needed: there is no graphics card to make them on before."""
    global _shader, _batch  # noqa: PLW0603
    if _shader is None:
        between = gpu.types.GPUStageInterfaceInfo("dnerf_picture")
        between.smooth("VEC2", "uv")
        info = gpu.types.GPUShaderCreateInfo()
        info.push_constant("MAT4", "matrix")
        info.push_constant("VEC4", "place")
        info.sampler(0, "FLOAT_2D", "picture")
        info.vertex_in(0, "VEC2", "corner")
        info.vertex_out(between)
        info.fragment_out(0, "VEC4", "color")
        info.vertex_source(_VERTEX)
        info.fragment_source(_FRAGMENT)
        _shader = gpu.shader.create_from_info(info)
        _batch = batch_for_shader(_shader, "TRI_FAN", {"corner": ((0, 0), (1, 0), (1, 1), (0, 1))})
    return _shader, _batch
