"""A family of generators as the registry has it. Nothing here imports torch: what needs it is named, and imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnerf_core.backbone.signature import Signature

if TYPE_CHECKING:
    from dnerf_core.backbone.protocols import Backbone
    from dnerf_core.backbone.specs import Shape


@dataclass(frozen=True)
class Family:
    """A family.

    Attributes:
        name: as a model file's header has it.
        title: as messages have it.
        config_class: its configuration, see `BackboneConfig`.
        expected_shapes: every tensor that a configuration demands, by published name, with its shape.
        check_ranges: (config, where, remedy) refuses a configuration that could not be built or rendered by a `CheckpointError`, before
            anything is allocated by it; `backbone.ranges` has the parts that all families share.
        builder: "module:name" of what makes a `Backbone` of a configuration; under torch's "meta" device it allocates nothing.
        read_release: "module:name" of what reads its releases: (network, path, options) -> `checkpoints.release.Release`. What the
            shapes of bare weights tell is its matter too; `checkpoints.releases.reader.ReleaseReader` has what families share.
        signature: what its networks are known by in a checkpoint.
        unseen_by_views: what the names of those tensors begin with that tuning leaves alone, as no view of given ws reads them, or none
            shows enough of what they decide.
        exact_tensors: what the names of those tensors begin with that files hold as float32 whatever all else is stored as, since float16
            would damage them: places and whole numbers.
        kernels: which kernels read its fields, see `kernels.choice`.
        literal: "module:name" of its literal method, as its paper writes it: (generator, branch or None, a subject's planes) -> an
            object whose `view` is `generator.reference.LiteralSubject`'s. The judge of the fast path and the benchmarks' baseline; None: it
            has none.
        poser: "module:name" of what poses its subjects: (a model file) -> `poses.Poser`; None: they have no pose.
        template_mesh: "module:name" of what tells the mesh that moves with its subjects, whose vertices `Backbone.posed_vertices` gives:
            (a model file's path) -> `poses.TemplateMesh`; None: no mesh does.
        rigid: "module:name" of what makes of a model one of the same size whose subjects do not move; None: they do not.
    """

    name: str
    title: str
    config_class: type[Any]
    expected_shapes: Callable[[Any], dict[str, Shape]]
    check_ranges: Callable[[Any, str, str], None]
    builder: str
    read_release: str
    signature: Signature
    unseen_by_views: tuple[str, ...] = ("backbone.mapping.",)
    exact_tensors: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ("torch",)
    literal: str | None = None
    poser: str | None = None
    template_mesh: str | None = None
    rigid: str | None = None

    def build(self, config: Any) -> Backbone[Any]:
        """A generator of that configuration, with first weights."""
        built: Backbone[Any] = named(self.builder)(config)
        return built


def named(place: str) -> Any:
    """What "module:name" names."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
