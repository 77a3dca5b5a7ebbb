"""A browser without a network, and the sites to open in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from epi.runner.run import run_study
from epi.runner.site import build_site
from epi.runner.study import open_study
from runner.toy import write_toy_study


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        # A browser of the machine where there is one, else the one that playwright installed.
        own = os.environ.get("EPI_CHROMIUM", "/usr/bin/chromium")
        place = {"executable_path": own} if Path(own).exists() else {}
        opened = play.chromium.launch(args=["--no-sandbox"], **place)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def toy_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pages")
    study = open_study(write_toy_study(place / "studies"))
    run_study(study, runs_dir=place / "runs")
    run_study(study, preset="older", runs_dir=place / "runs")
    return build_site(place / "runs", place / "site", place / "studies").folder


@pytest.fixture(scope="session")
def sites(toy_site: Path) -> list[Path]:
    """The toy site, and the built one when ``EPI_SITE`` names it."""
    built = os.environ.get("EPI_SITE")
    return [toy_site, *([Path(built)] if built else [])]
