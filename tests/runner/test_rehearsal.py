"""A rehearsal: what is counted over replicates, with its uncertainty, and replicates done are not made again."""

from __future__ import annotations

import json
import math

import pytest
from scipy.stats import beta, norm
from typer.testing import CliRunner

from epi.cli import app
from epi.runner.rehearsal import NOTES, summarise
from epi.runner.rehearsal_page import write_rehearsal
from epi.runner.site.words import word
from runner.toy import PROTOCOL, write_notebook, write_toy_study

ASKED = {"study": "toy", "persons": 1000, "parameters": {}, "preset": None, "seeds": [1, 2, 3, 4], "effect": 1.5}


def odds(low, high, **more):
    row = {"name": "or", "unit": "OR", "stratum": {"exposure": "air"}, "settings": {"step": 2.0}, "suppressed": False}
    return row | {"estimate": math.sqrt(low * high), "ci_low": low, "ci_high": high} | more


def replicate(seed, rows, steps=(), outputs=(), truth=0.1):
    return {
        "seed": seed,
        "truth": {"air": truth},
        "attrition": {"attrition": list(steps)},
        "results": list(rows),
        "outputs": list(outputs),
        "peak_memory_mb": 100.0 + seed,
        "total_seconds": 10.0,
    }


def test_the_share_of_intervals_without_1_is_power_with_an_exact_interval():
    rows = [odds(1.1, 2.0), odds(1.2, 2.4), odds(0.9, 1.8), odds(0.5, 0.9)]
    found = summarise([replicate(seed, [row]) for seed, row in enumerate(rows, 1)], ASKED).estimates[0]
    assert found["excludes_1"] == 0.75
    assert found["excludes_1_low"] == pytest.approx(beta.ppf(0.025, 3, 2))
    assert found["excludes_1_high"] == pytest.approx(beta.ppf(0.975, 4, 1))
    assert found["planted_ratio"] == pytest.approx(math.exp(0.2))
    assert found["reads_as"] == "power"


def test_without_a_planted_effect_the_same_share_is_of_false_positives():
    found = summarise([replicate(1, [odds(0.9, 1.2)], truth=0.0)], ASKED).estimates[0]
    assert found["reads_as"] == "false_positives"
    assert (found["excludes_1"], found["excludes_1_low"]) == (0.0, 0.0)
    assert found["excludes_1_high"] == pytest.approx(0.975)


def test_the_detectable_ratio_has_the_wished_power():
    found = summarise([replicate(1, [odds(0.8, 1.6)])], ASKED).estimates[0]
    error = math.log(2) / (2 * norm.ppf(0.975))
    assert found["detectable_ratio"] == pytest.approx(math.exp((norm.ppf(0.975) + norm.ppf(0.8)) * error))
    shift = math.log(1.5) / error
    assert found["power_for_effect"] == pytest.approx(
        norm.sf(norm.ppf(0.975) - shift) + norm.cdf(-norm.ppf(0.975) - shift)
    )
    again = summarise([replicate(1, [odds(0.8, 1.6)])], ASKED | {"effect": found["detectable_ratio"]}).estimates[0]
    assert again["power_for_effect"] == pytest.approx(0.8, abs=1e-3)


def test_a_replicate_without_the_estimate_has_found_nothing():
    found = summarise([replicate(1, [odds(1.1, 2.0)]), replicate(2, [])], ASKED).estimates[0]
    assert (found["replicates"], found["excludes_1"]) == (1, 0.5)
    assert found["excludes_1_high"] == pytest.approx(beta.ppf(0.975, 2, 1))


def test_a_difference_has_a_width_and_neither_power_nor_ratio():
    row = odds(10.0, 30.0, unit="per 100,000 person-years")
    found = summarise([replicate(1, [row]), replicate(2, [row | {"ci_high": 20.0}])], ASKED).estimates[0]
    assert found["width"] == 15.0
    assert not {"detectable_ratio", "excludes_1", "width_ratio"} & set(found)


def test_numbers_come_with_their_spread_and_hidden_ones_are_left_out():
    many = [replicate(s, [], steps=[("known", 100.0 + s), ("cases", n)]) for s, n in ((1, 20.0), (2, 24.0), (3, None))]
    known, cases = summarise(many, ASKED).attrition
    assert (known["step"], known["mean"], known["lowest"], known["highest"]) == ("known", 102, 101, 103)
    assert (cases["mean"], cases["replicates"]) == (22, 2)
    half = 12.706204736432095 * math.sqrt(8) * math.sqrt(1.5)
    assert cases["predicted_high"] == pytest.approx(22 + half)
    assert cases["predicted_low"] == 0
    assert summarise(many[::-1], ASKED) == summarise(many, ASKED)


def test_what_the_gate_hides_is_counted():
    def output(hidden, refused=False):
        return {"name": "t", "cells": 10, "hidden": hidden, "refused": refused, "merged": False}

    found = summarise([replicate(1, [], outputs=[output(3)]), replicate(2, [], outputs=[output(0, True)])], ASKED)
    assert found.suppression == (
        {"output": "t", "replicates": 2, "hidden_share": 0.15, "hidden_in": 1, "merged_in": 0, "refused_in": 1},
    )


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_is_alone_marked_synthetic_and_says_what_is_not_there(tmp_path, lang):
    many = [replicate(1, [odds(1.1, 2)], steps=[("<b>", 30.0)]), {"seed": 2, "failure": "no case"}]
    page = write_rehearsal(tmp_path, summarise(many, ASKED), lang).read_text(encoding="utf-8")
    assert page.count(word("synthetic", lang)) >= 3
    assert all(word(f"rehearsal_note_{note}", lang) in page.replace("&#39;", "'") for note in NOTES)
    assert "2: no case" in page
    assert "<b>" not in page
    assert not any(outside in page for outside in ("src=", "<link", "href=", "url(", "@import"))
    assert json.loads((tmp_path / "rehearsal.json").read_text())["synthetic"] is True
    for name in ("attrition", "estimates"):
        assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8").splitlines()[1].startswith("true,")


def small_study(root):
    """One notebook on the registry, quick to run."""
    folder = write_toy_study(root)
    head = PROTOCOL.split("parameters:")[0].replace("sources: [open_data]", "sources: [bndmr, population]")
    (folder / "protocol.yml").write_text(
        head
        + "variables:\n"
        + "".join(
            f"  - {{table: {table}, column: {column}, reason: test}}\n"
            for table, column in (
                ("patient", "sex"), ("patient", "birth_date"), ("patient", "is_fetus"),
                ("patient", "residence_country"), ("diagnosis", "status"),
                ("diagnosis", "orpha_code"), ("diagnosis", "orpha_code_current"), ("diagnosis", "diagnosis_date"),
                ("diagnosis", "diagnosis_date_precision"),
            )
        )
        + "parameters:\n  start: {type: date, default: 2012-01-01, meaning: first day}\n"
        + "notebooks:\n  - {file: 01_counts.ipynb, title: {fr: Un, en: One}}\n"
        + "outputs:\n  - {name: attrition, meaning: {fr: Flux, en: Flow}}\n"
        + "  - {name: n_kept, meaning: {fr: Cas, en: Cases}}\nhighlights: [n_kept]\n",
        encoding="utf-8",
    )  # fmt: skip
    for path in (folder / "02_figures.ipynb", folder / "parameters" / "older.yml"):
        path.unlink()
    write_notebook(
        folder / "01_counts.ipynb",
        [
            ("parameters", 'start = "2012-01-01"'),
            (
                "code",
                "import epi\n\nws = epi.open_workspace()\n"
                "kept = ws.cohort('Cases').diagnosed_with(orpha=803).first_diagnosed_between(start, '2023-12-31')",
            ),
            (
                "code",
                "epi.output(kept.attrition, 'attrition')\nepi.record('n_kept', kept.n, n=kept.n, unit='patients')",
            ),
        ],
    )
    return folder


def test_the_command_rehearses_and_does_not_make_a_replicate_again(tmp_path, monkeypatch):
    monkeypatch.delenv("EPI_OPEN_DATA", raising=False)
    small_study(tmp_path / "studies")
    words = ["rehearse", "toy", "--persons", "150000", "--out", str(tmp_path / "out"), "--from", "2014"]
    words += ["--studies", str(tmp_path / "studies")]
    first = CliRunner().invoke(app, [*words, "--replicates", "1"])
    assert first.exit_code == 0, first.output
    assert "SYNTHETIC DATA" in first.output
    folder = tmp_path / "out" / "toy"
    kept = {path: path.read_bytes() for path in (folder / "replicates").iterdir()}
    assert len(kept) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "attrition.csv", "estimates.csv", "rehearsal.html", "rehearsal.json", "replicates", "suppression.csv",
    ]  # fmt: skip

    def fail(*given, **more):
        raise AssertionError("made again")

    monkeypatch.setattr("epi.world.build_world", fail)
    again = CliRunner().invoke(app, [*words, "--replicates", "1", "--json"])
    assert again.exit_code == 0, again.output
    told = json.loads(again.stdout)
    assert told["synthetic"] is True
    assert told["asked"]["parameters"] == {"start": "2014-01-01"}
    assert {row["name"] for row in told["estimates"]} == {"n_kept"}
    assert all(path.read_bytes() == content for path, content in kept.items())
    with pytest.raises(AssertionError, match="made again"):
        CliRunner().invoke(app, [*words, "--replicates", "1", "--seed", "2"], catch_exceptions=False)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_what_cannot_be_rehearsed_is_refused_before_a_world_is_made(tmp_path, monkeypatch):
    from epi.errors import ParameterError

    write_toy_study(tmp_path / "studies")
    monkeypatch.setattr("epi.world.build_world", lambda *given, **more: pytest.fail("a world was made"))
    with pytest.raises(ParameterError) as refusal:
        CliRunner().invoke(
            app,
            [
                "rehearse",
                "toy",
                "--studies",
                str(tmp_path / "studies"),
                "--effect",
                "1",
                "--lang",
                "de",
                "--from",
                "2015",
            ],
            catch_exceptions=False,
        )
    assert len(refusal.value.faults) == 4
