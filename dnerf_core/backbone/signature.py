"""What a family's networks are known by in a checkpoint, as data. No torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    r"""How a checkpoint's network is recognised as one of a family.

    A pickled network is a candidate by its class, or by `modules`; a state dict by `state_key`. Among families that a candidate may be
    of, one whose own things are there goes before one that has none: PanoHead's networks have all that EG3D's have, and more.

    Attributes:
        network_class: name of the class, without its module, that its training pickles.
        modules: names of modules directly below the root, all of which its networks have.
        state_key: regular expression of how the name of a tensor begins that each of its state dicts has; what stands before it there is
            the prefix that a larger network gave it.
        own_modules: names of modules below the root, any of which tells it from the others.
        own_options: names among `rendering_kwargs`, any of which does.
        own_tensors: regular expressions of tensor names, searched for; all of them together do.
    """

    network_class: str
    modules: frozenset[str]
    state_key: str
    own_modules: frozenset[str] = frozenset()
    own_options: frozenset[str] = frozenset()
    own_tensors: tuple[str, ...] = ()

    @property
    def is_general(self) -> bool:
        """Whether it has nothing of its own: it is what remains where no other fits."""
        return not (self.own_modules or self.own_options or self.own_tensors)
