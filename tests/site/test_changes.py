"""A study's page says what changed since the run that was published before."""

from __future__ import annotations

import html
import re
from pathlib import Path

from epi.runner.published import LEDGER
from epi.runner.run import run_study
from epi.runner.site import build_site
from epi.runner.study import open_study
from runner.toy import write_toy_study


def section(site: Path, page: str) -> str:
    text = (site / page / "studies" / "toy" / "index.html").read_text(encoding="utf-8")
    found = re.search(r'<h2 id="changes">.*?(?=<h2 )', text, re.DOTALL)
    return html.unescape(re.sub(r"(<[^>]+>|\s)+", " ", found[0])) if found else ""


def test_each_page_says_what_changed_since_the_last_published_run(tmp_path: Path) -> None:
    folder = write_toy_study(tmp_path / "studies")
    runs, site = tmp_path / "runs", tmp_path / "site"
    first = run_study(open_study(folder), runs_dir=runs)
    assert build_site(runs, site, tmp_path / "studies").unrecorded == () and section(site, "en") == ""
    build_site(runs, site, tmp_path / "studies")
    ledger = runs / "toy" / LEDGER
    assert section(site, "en") == "" and len(ledger.read_text(encoding="utf-8").splitlines()) == 1

    path = folder / "02_figures.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("35.7", "36.5"), encoding="utf-8")
    run_study(open_study(folder), runs_dir=runs)
    for _ in range(2):  # building again changes nothing: it is still the same run, beside the same one before
        build_site(runs, site, tmp_path / "studies")
        said = section(site, "en")
        assert f"1 of 2 results have changed since run {first.run_id}" in said
        assert "study file 02_figures.ipynb" in said and "35.7" in said and "36.5" in said
        assert "Share aged 60 and over" in said
        assert "1 résultats sur 2 ont changé" in section(site, ".") and "36,5" in section(site, ".")
    assert len(ledger.read_text(encoding="utf-8").splitlines()) == 2

    # The folder of the run that was published before may be gone.
    (folder / "toy_helper.py").write_text(
        (folder / "toy_helper.py").read_text(encoding="utf-8") + "\n# more\n", encoding="utf-8"
    )
    run_study(open_study(folder), runs_dir=runs)
    build_site(runs, site, tmp_path / "studies")
    said = section(site, "en")
    assert "No result has changed" in said and "study file toy_helper.py" in said
