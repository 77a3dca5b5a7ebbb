"""Validate every public docstring against the numpydoc rules chosen in pyproject.toml."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpydoc.validate

import epi

ROOT = Path(__file__).parents[1]
CHECKS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]["checks"])


def public_objects() -> Iterator[str]:
    """Name each public module, function, class and method of the package once."""
    for info in pkgutil.walk_packages(epi.__path__, "epi."):
        module = importlib.import_module(info.name)
        if not info.ispkg:  # numpydoc finds no line for the docstring of a package
            yield info.name
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != info.name:
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{info.name}.{name}"
            if inspect.isclass(thing):
                methods = (key for key, value in vars(thing).items() if inspect.isfunction(value) and key[0] != "_")
                yield from (f"{info.name}.{name}.{key}" for key in methods)


def main() -> int:
    """Print each fault; return 1 if there is any."""
    faults = [
        f"{name}: {code} {message}"
        for name in public_objects()
        for code, message in numpydoc.validate.validate(name)["errors"]
        if code in CHECKS
    ]
    print("\n".join(faults) if faults else "docstrings: every public one is whole")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
