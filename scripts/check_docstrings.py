"""Validate every public docstring against the numpydoc rules chosen in pyproject.toml."""

from __future__ import annotations

import dataclasses
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
# A class that nobody constructs by hand (an error, a pydantic model, a criterion, what a verb returns)
# tells its fields in its own words; a dataclass and a function document each parameter. A method that
# overrides a documented one needs no second docstring.
ABOUT_PARAMETERS = {"PR01", "PR02", "PR03"}


def public_objects() -> Iterator[tuple[str, set[str]]]:
    """Name each public function, class and method of the package once, with the rules it must meet."""
    for info in pkgutil.walk_packages(epi.__path__, "epi."):
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != info.name:
                continue
            if inspect.isfunction(thing):
                yield f"{info.name}.{name}", CHECKS
            if inspect.isclass(thing):
                own = dataclasses.is_dataclass(thing) and thing.__bases__ == (object,)
                yield f"{info.name}.{name}", CHECKS if own else CHECKS - ABOUT_PARAMETERS
                for key, value in vars(thing).items():
                    told_above = any(getattr(vars(base).get(key), "__doc__", None) for base in thing.__mro__[1:])
                    if inspect.isfunction(value) and key[0] != "_" and value.__module__ == info.name and not told_above:
                        yield f"{info.name}.{name}.{key}", CHECKS


def main() -> int:
    """Print each fault; return 1 if there is any."""
    modules = [info.name for info in pkgutil.walk_packages(epi.__path__, "epi.")]
    faults = [f"{name}: no docstring" for name in modules if not importlib.import_module(name).__doc__]
    count = 0
    for name, checks in public_objects():
        count += 1
        errors = numpydoc.validate.validate(name)["errors"]
        faults += [f"{name}: {code} {message}" for code, message in errors if code in checks]
    print("\n".join(faults) if faults else f"docstrings: {count} public ones are whole")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
