"""Write the API reference: a page for every module of the engine and of the runs, from their docstrings, by pdoc.

    python docs/build_api.py             # to docs/api/, open docs/api/index.html
    python docs/build_api.py --output X  # to another folder

Ends with 1 if anything warns, such as an annotation that cannot be resolved. Needs the extra `dev`; neither Blender nor a GPU.
"""

from __future__ import annotations

import argparse
import builtins
import importlib
import os
import pkgutil
import re
import shutil
import sys
import typing
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = ("dnerf_core", "headless.runs")
LENDERS = ("headless.datasets",)
"""Packages that have no pages and whose types the pages name."""
LEFT_OUT = re.compile(r"dnerf_core\.kernels(?!\.choice$)")
"""Modules that need Triton to be imported; no program calls them."""


def modules(packages: tuple[str, ...] = PACKAGES) -> list[str]:
    """Every module that is described, by its dotted name."""
    found: list[str] = []
    for name in packages:
        package = importlib.import_module(name)
        inside = (module.name for module in pkgutil.walk_packages(package.__path__, f"{name}."))
        found += [name, *(module for module in inside if LEFT_OUT.match(module) is None)]
    return found


def resolve(name: str) -> None:
    """Give a module's named tuples the types that they name, which pdoc looks for in a module that does not exist."""
    for thing in vars(importlib.import_module(name)).values():
        if isinstance(thing, type) and issubclass(thing, tuple) and hasattr(thing, "_fields"):
            thing.__new__.__annotations__ = typing.get_type_hints(thing)


def lend(names: list[str]) -> None:
    """Let every module's annotations name what another one's do: a subclass inherits fields whose types only its base's module imports, and
    an alias speaks of types that only its own module does. pdoc looks for names in the module that it is at, and then among the builtins.
    """
    for name in [*names, *modules(LENDERS)]:
        for key, value in vars(importlib.import_module(name)).items():
            is_type = isinstance(value, type) or typing.get_origin(value) is not None
            if is_type and not key.startswith("_") and not hasattr(builtins, key):
                setattr(builtins, key, value)


def build(output: Path) -> list[str]:
    """Write the pages to a folder, which is emptied first; returns what warned."""
    import pdoc

    import dnerf_core

    for name in dnerf_core.__all__:  # pdoc looks for what is there, and these names come when they are used
        setattr(dnerf_core, name, getattr(dnerf_core, name))
    names = modules()
    for name in names:
        resolve(name)
    lend(names)
    pdoc.render.configure(docformat="google", footer_text="DatasetNeRF")
    shutil.rmtree(output, ignore_errors=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # every module is named, because pdoc takes the submodules of packages without an __all__ only; it takes those twice then
        warnings.filterwarnings("ignore", message=".*has already been added")
        pdoc.pdoc(*names, output_directory=output)
    return list(dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Write the API reference.")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "api", help="the folder, emptied first [default: docs/api]"
    )
    output: Path = parser.parse_args().output
    sys.path.insert(0, str(ROOT))  # this tree, whatever is installed
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    told = build(output)
    for line in told:
        print(f"warning: {line}", file=sys.stderr)
    pages = len(list(output.rglob("*.html")))
    print(f"{output}: {pages} pages, {len(told)} warnings; look at {output / 'index.html'}")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
