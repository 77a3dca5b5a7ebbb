"""What the repository promises of itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[1]
CARD = {"jupyterlab", "pandas", "geopandas", "statsmodels", "lifelines", "scikit-learn", "papermill"}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower()


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def test_environment_file_equals_pyproject():
    content = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from_pip = next(item["pip"] for item in content if isinstance(item, dict))
    from_conda = [item for item in content if isinstance(item, str) and name_of(item) not in {"python", "pip"}]
    assert {name_of(item) for item in from_conda} == CARD
    stated = set(from_conda) | {item for item in from_pip if not item.startswith("-e")}
    assert stated == set(project()["dependencies"])
    assert f"python{project()['requires-python']}" in content


def test_every_dependency_is_locked_and_has_its_reason():
    locked = {name_of(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if line}
    reasons = (ROOT / "docs" / "dependencies.md").read_text().lower()
    extras = project()["optional-dependencies"]
    for requirement in project()["dependencies"] + extras["dev"]:
        assert name_of(requirement) in locked, requirement
    for requirement in project()["dependencies"] + extras["dev"] + extras["pages"]:
        assert f"`{name_of(requirement)}`" in reasons, requirement


def test_lock_holds_versions_and_no_address():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._\-\[\],]+==[A-Za-z0-9.+!]+( ; .+)?", line), line


def test_import_is_light():
    code = "import epi, sys; print(sorted({'pandas', 'duckdb', 'ibis', 'numpy', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_large_file_and_no_stored_output():
    for path in tracked():
        assert path.stat().st_size <= 5 << 20, path
        if path.suffix == ".ipynb":
            cells = nbformat.read(path, as_version=4).cells
            assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path


@pytest.mark.parametrize("word", ["py" + "pi.org", "pythonho" + "sted", "registry.np" + "mjs", "deb.deb" + "ian"])
def test_no_registry_host_is_named(word):
    for path in tracked():
        if path.suffix not in {".parquet", ".gz", ".png"}:
            assert word not in path.read_text(encoding="utf-8"), path


def test_makefile_explains_itself():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "test", "check", "validate", "lab", "bench"):
        assert f"make {target}" in done.stdout


def test_every_room_opens_first():
    """A cycle of imports shows itself only to whoever opens the wrong room first."""
    code = (
        "import importlib, pkgutil, sys, epi\n"
        "for part in [m.name for m in pkgutil.walk_packages(epi.__path__, 'epi.') if m.ispkg]:\n"
        "    for name in [n for n in sys.modules if n == 'epi' or n.startswith('epi.')]:\n"
        "        del sys.modules[name]\n"
        "    importlib.import_module(part)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
