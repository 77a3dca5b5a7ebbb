"""A run killed at every act it does on its folder, by the runner and by a kernel, then resumed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from validation.proof import ROOT, Proof, Row, Setting

TESTS = ROOT / "tests"


def killed_runs(setting: Setting) -> Iterator[Row]:
    """Kill -9 at the first, second, third... act until a run gets through; resume each and compare."""
    sys.path.insert(0, str(TESTS))
    from epi.runner.folder import released_files
    from epi.runner.run import run_study
    from epi.runner.study import open_study
    from runner.test_steps import three_steps
    from support import killed

    place = setting.folder / "kills"
    (place / "open" / "part").mkdir(parents=True)
    (place / "open" / "part" / "read.csv").write_text("n\n1\n", encoding="utf-8")
    before = os.environ.get("EPI_OPEN_DATA")
    os.environ |= {"EPI_OPEN_DATA": str(place / "open"), "TOY_SUPPORT": str(TESTS / "support")}
    study = open_study(three_steps(place))
    expected = released_files(run_study(study, runs_dir=place / "clean").folder)
    for who in ("runner", "kernel"):
        again: list[int] = []
        points = unequal = halves = 0
        while True:
            points += 1
            runs = place / f"{who}{points}"
            environment = {**os.environ, **({killed.KERNEL: str(points)} if who == "kernel" else {})}
            number = str(points if who == "runner" else 0)
            words = [sys.executable, killed.__file__, number, str(runs), str(study.folder), str(runs)]
            code = subprocess.run(words, env=environment, capture_output=True, check=False).returncode
            if code == 0:
                break
            records = {path: path.read_bytes() for path in runs.rglob("*.step.json")}
            done = run_study(study, runs_dir=runs)
            unequal += released_files(done.folder) != expected or done.altered() != ()
            # A run killed after its last word is given back as it is; any other takes over the steps that had ended.
            kept = done.reused or sum(step["reused"] for step in done.manifest["timings"]) == len(records)
            if not kept or any(path.read_bytes() != text for path, text in records.items()):
                again.append(points)
            halves += bool(list(runs.rglob("*.part")))
            shutil.rmtree(runs)
        yield (
            f"three steps, the {who} killed at each of its {points - 1} acts on the run's folder, then resumed",
            f"{unequal} results unlike a clean run's, {len(again)} with an ended step run again"
            + (f" (acts {', '.join(map(str, again))})" if again else "")
            + f", {halves} half files left",
            not again and unequal == halves == 0 and points > 3,
        )
    os.environ.pop("EPI_OPEN_DATA")
    if before is not None:
        os.environ["EPI_OPEN_DATA"] = before


def hostile_parameters(setting: Setting) -> Iterator[Row]:
    """Give 10,000 hostile values and names; what is injected must be constants, and nothing else."""
    effort = 50
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "tests/runner/test_parameters.py", "-k", "hostile"],
        cwd=ROOT, env=os.environ | {"EPI_EFFORT": str(effort)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    yield (
        f"{200 * effort:,} sets of hostile values, {200 * effort:,} hostile names",
        done.stdout.strip().splitlines()[-1],
        done.returncode == 0,
    )


PROOFS: list[Proof] = [("Killed runs", killed_runs), ("Hostile parameters", hostile_parameters)]
