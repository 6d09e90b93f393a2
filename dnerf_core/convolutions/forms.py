"""The forms that convolutions may run in: a number format and a memory layout. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import torch

Format = Literal["float32", "bfloat16"]
Layout = Literal["channels last", "contiguous"]


@dataclass(frozen=True)
class ConvolutionForm:
    """How convolutions run: in which number format, and whether a pixel's channels or a channel's pixels lie side by side."""

    format: Format
    layout: Layout = "channels last"

    @property
    def name(self) -> str:
        """For people, and in files."""
        return f"{self.format}, {self.layout}"

    @property
    def dtype(self) -> torch.dtype:
        """The number format as torch has it."""
        import torch

        return torch.bfloat16 if self.format == "bfloat16" else torch.float32

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout as torch has it."""
        import torch

        return torch.channels_last if self.layout == "channels last" else torch.contiguous_format

    @classmethod
    def read(cls, number_format: object, layout: object) -> ConvolutionForm | None:
        """The form that a file names; None: it is none that there is."""
        return next((form for form in FORMS if (form.format, form.layout) == (number_format, layout)), None)


FLOAT32 = ConvolutionForm("float32")
"""What is taken unless another form is clearly faster, and what all others are held against."""
BFLOAT16 = ConvolutionForm("bfloat16")
FLOAT32_CONTIGUOUS = ConvolutionForm("float32", "contiguous")

FORMS = (FLOAT32, BFLOAT16, FLOAT32_CONTIGUOUS)
"""All forms, in the order in which a near tie is decided."""
FORMATS: tuple[Format, ...] = get_args(Format)
