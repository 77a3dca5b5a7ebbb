"""The pages of a site, one method for each kind, written from templates in both languages."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import epi
from epi.files import write_bytes, write_json, write_text
from epi.protocol import Protocol, read_protocol
from epi.runner.checklist import read_checklist
from epi.runner.folder import Run
from epi.runner.plan import Entry as PlanEntry
from epi.runner.site import content, provenance
from epi.runner.site.changes import changes_view
from epi.runner.site.checklist import CHECKLIST_PAGE, checklist_view
from epi.runner.site.figures import label_of, localised, moment_text, number
from epi.runner.site.flow import read_flow
from epi.runner.site.markup import Store, sanitise_html
from epi.runner.site.notebook import RenderedNotebook, render_notebook
from epi.runner.site.plan import plan_view
from epi.runner.site.released import MOST_ROWS, ReleasedOutput, read_record
from epi.runner.site.words import LANGS, word

_HERE = Path(__file__).parent
_OFFERED = (".csv", ".png")


@dataclass
class Entry:
    """A study of the site, and what was read of its runs once for both languages.

    Parameters
    ----------
    protocol : Protocol
        The protocol of the run shown.
    runs : list of Run
        All its runs, the latest first.
    shown : Run or None
        The run on its page.
    rows : dict, optional
        Run identifier to results.
    outputs : dict, optional
        Run identifier to outputs.
    altered : set of str, optional
        Runs whose results changed since they ended.
    plan : tuple of PlanEntry, optional
        The plan in the study's folder; empty without one that can be read.
    apart : dict of str to str, optional
        Run identifier to the reason, a key of the frame's words, why a finished run is not published beside others.
    """

    protocol: Protocol
    runs: list[Run]
    shown: Run | None
    rows: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    outputs: dict[str, list[ReleasedOutput]] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    plan: tuple[PlanEntry, ...] = ()
    apart: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The study's identifier."""
        return self.protocol.id

    @property
    def done(self) -> list[Run]:
        """Its finished runs, the latest first."""
        return [run for run in self.runs if run.status == "done"]

    @property
    def published(self) -> list[Run]:
        """Its finished runs that have pages and files, the latest first: those not held apart."""
        return [run for run in self.done if run.run_id not in self.apart]


class Builder:
    """Write the pages of a site, each study read once for both languages.

    Parameters
    ----------
    out : Path
        An empty folder.
    entries : list of Entry
        The studies, in the order of the index.
    level : {"public", "restricted", "internal"}
        The most private level that the site's readers may see.
    title : str or None
        The site's title, in place of the usual one.
    """

    def __init__(self, out: Path, entries: list[Entry], level: str, title: str | None) -> None:
        import jinja2

        self.out, self.entries, self.level, self.title = out, entries, level, title
        self.pages = self.left_out = 0
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def build(self) -> None:
        """Write every page and file."""
        write_bytes(self.out / "assets" / "style.css", (_HERE / "assets" / "style.css").read_bytes())
        for entry in self.entries:
            for run in entry.published:
                self._write_files(entry, run)
        for lang in LANGS:
            self._index(lang)
            for entry in self.entries:
                self._study(entry, entry.shown, lang)
                for run in entry.published:
                    if run is not entry.shown:
                        self._study(entry, run, lang)

    def _files(self, entry: Entry, run: Run) -> str:
        return f"files/{entry.name}/{run.run_id}"

    def _place(self, entry: Entry, run: Run | None) -> str:
        base = f"studies/{entry.name}"
        return base if run is entry.shown or run is None else f"{base}/{run.run_id}"

    def _write_files(self, entry: Entry, run: Run) -> None:
        folder = self.out / self._files(entry, run)
        if run.run_id not in entry.altered:
            # Only the rows that this site's readers may see.
            write_json(folder / "results.json", entry.rows[run.run_id])
        for output in entry.outputs[run.run_id]:
            for name, file in output.files.items():
                if _is_offered(name):
                    write_bytes(folder / name, file)

    def _write(self, template: str, place: str, lang: str, **values: Any) -> None:
        """Write a page at a place of the tree of its language."""
        page = place if lang == "fr" else f"en/{place}"
        other = f"en/{place}" if lang == "fr" else place
        root = "../" * page.count("/")
        site_title = self.title or word("site_title", lang)
        text = self._templates.get_template(template).render(
            lang=lang,
            other_lang=next(name for name in LANGS if name != lang),
            other_page=root + other,
            root=root,
            home=root + ("index.html" if lang == "fr" else "en/index.html"),
            t=partial(_word, lang),
            site_title=site_title,
            version=epi.__version__,
            **values,
        )
        write_text(self.out / page, text)
        self.pages += 1

    def _index(self, lang: str) -> None:
        studies = []
        for entry in self.entries:
            rows = entry.rows.get(entry.shown.run_id, []) if entry.shown else []
            about = content.study_view(entry.protocol, entry.shown, rows, lang)
            studies.append({**about, "href": f"studies/{entry.name}/index.html"})
        shown = [entry.shown for entry in self.entries if entry.shown]
        counts = {entry.protocol.min_count for entry in self.entries}
        self._write(
            "index.html",
            "index.html",
            lang,
            studies=studies,
            any_synthetic=any(study["synthetic"] for study in studies),
            below=str(counts.pop() - 1) if len(counts) == 1 and min(counts) > 1 else "",
            exposures=provenance.exposures_view(shown, lang),
        )

    def _study(self, entry: Entry, run: Run | None, lang: str) -> None:
        place = self._place(entry, run)
        up = "../" * (place.count("/") + (1 if lang == "fr" else 2))
        done = run is not None and run.status == "done"
        protocol = read_protocol(run.folder / "protocol.yml") if run else entry.protocol
        rows = entry.rows.get(run.run_id, []) if run else []
        about = content.study_view(protocol, run, rows, lang)
        values: dict[str, Any] = {
            "study": about,
            "parameters": content.parameters_view(protocol, run, lang),
            "variables": content.variables_view(protocol, lang),
            "other_runs": {"rows": self._other_runs(entry, run, place, lang)},
            "flow": [],
            "flow_picture": "",
            "opposition": None,
            "checklist_href": "",
            "plan": plan_view(run, entry.runs, entry.plan, lang) if run else None,
            "changes": changes_view(run, rows, protocol, lang, level=self.level, apart=entry.apart)
            if done and run is entry.shown and run
            else None,
        }
        if done and run is not None:
            files = up + self._files(entry, run)
            values |= self._released(entry, run, protocol, up, lang)
            notebooks = self._notebooks(entry, run, protocol, place, up, lang, about)
            left_out = sum(rendered.left_out for _, rendered in notebooks)
            if lang == LANGS[0]:
                self.left_out += left_out
            gate = read_record(run)
            checklist = read_checklist(run.folder)
            if checklist is not None:
                values["checklist_href"] = CHECKLIST_PAGE
                self._write(
                    "checklist.html",
                    f"{place}/{CHECKLIST_PAGE}",
                    lang,
                    guidelines=checklist_view(checklist, protocol, lang),
                    study_title=about["title"],
                    study_page="index.html",
                )
            values |= {
                "results": content.results_view(protocol, rows, lang),
                "results_href": f"{files}/results.json",
                "results_note": word("altered", lang, name="results.json") if run.run_id in entry.altered else "",
                "notebooks": [link for link, _ in notebooks],
                "provenance": provenance.provenance_view(
                    run,
                    lang,
                    outputs=len({str(line["name"]) for line in gate}),
                    hidden=sum(int(line.get("hidden") or 0) for line in gate),
                    left_out=left_out,
                ),
                "steps": provenance.steps_view(run, lang),
                "packages": ", ".join(f"{name} {number_}" for name, number_ in run.manifest["packages"].items()),
            }
        values["contents"] = self._contents(values, lang, done)
        self._write("study.html", f"{place}/index.html", lang, **values)

    @staticmethod
    def _contents(values: Mapping[str, Any], lang: str, done: bool) -> list[tuple[str, str]]:
        present = {
            "found": bool(values["study"]["figures"]),
            "lost": bool(values["flow"] or values["flow_picture"]),
            "limits": True,
            "protocol": True,
            "plan": bool(values["plan"]),
            "changes": bool(values["changes"]),
            "results": done,
            "opposition": done and bool(values["opposition"]),
            "notebooks": done,
            "provenance": done,
        }
        return [(name, word(name, lang)) for name, there in present.items() if there]

    def _released(self, entry: Entry, run: Run, protocol: Protocol, up: str, lang: str) -> dict[str, Any]:
        outputs: list[dict[str, Any]] = []
        found: dict[str, Any] = {"flow": [], "flow_picture": "", "opposition": None}
        for output in entry.outputs[run.run_id]:
            shown = self._output(entry, run, output, protocol, up, lang)
            if output.name == "attrition" and output.table is not None:
                found["flow"] = read_flow(output.table, lang)
                found["flow_picture"] = "" if found["flow"] else shown["html"]
            if output.name == "opposition" and not output.refused:
                found["opposition"] = shown
            else:
                outputs.append(shown)
        return {**found, "outputs": outputs}

    def _output(
        self, entry: Entry, run: Run, output: ReleasedOutput, protocol: Protocol, up: str, lang: str
    ) -> dict[str, Any]:
        caption = label_of(output.name, protocol, lang)
        if output.refused:
            note = (
                word("altered", lang, name=caption)
                if output.refused == "altered"
                else word("withheld", lang, name=caption, level=word(f"level_{output.level}", lang))
            )
            return {"note": note, "name": output.name, "html": ""}
        files = up + self._files(entry, run)
        table = output.table
        # What the gate showed in a notebook has headings and notes; without it, the file's first rows.
        shown = sanitise_html(output.html, self._store(entry, run, up)) if output.html else ""
        return {
            "name": output.name,
            "note": "",
            "caption": caption,
            "html": shown,
            "table": content.table_view(table, lang) if table and not shown else None,
            "more": word("rows_shown", lang, shown=len(table.rows), total=number(table.total, lang))
            if table and not shown and table.total > MOST_ROWS
            else "",
            "files": [
                {"href": f"{files}/{name}", "label": word("download", lang, what=name.rpartition(".")[2].upper())}
                for name in output.files
                if _is_offered(name)
            ],
        }

    def _store(self, entry: Entry, run: Run, up: str) -> Store:
        """Keep pictures once among the run's files, whichever pages show them."""
        known = {
            hashlib.sha256(file).hexdigest(): name
            for output in entry.outputs[run.run_id]
            for name, file in output.files.items()
            if name.endswith(".png")
        }
        place = self._files(entry, run)

        def store(picture: bytes) -> str:
            digest = hashlib.sha256(picture).hexdigest()
            name = known.get(digest, f"{digest[:16]}.png")
            write_bytes(self.out / place / name, picture)
            return f"{up}{place}/{name}"

        return store

    def _other_runs(self, entry: Entry, run: Run | None, place: str, lang: str) -> list[dict[str, str]]:
        rows = []
        for other in entry.runs:
            if run is None or other.run_id == run.run_id:
                continue
            target = self._place(entry, other)
            apart = entry.apart.get(other.run_id)
            rows.append(
                {
                    "run_id": other.run_id,
                    "status": other.status,
                    "href": posixpath.relpath(f"{target}/index.html", place)
                    if other.status == "done" and not apart
                    else "",
                    "preset": str(other.manifest.get("preset") or "–"),
                    "differs": provenance.difference_text(other, run, lang)
                    if other.status == "done"
                    else content.failure_text(other, lang),
                    "apart": word(apart, lang) if apart else "",
                    "finished": moment_text(other.manifest.get("finished"), lang),
                }
            )
        return rows

    def _notebooks(
        self, entry: Entry, run: Run, protocol: Protocol, place: str, up: str, lang: str, about: Mapping[str, Any]
    ) -> list[tuple[dict[str, str], RenderedNotebook]]:
        gate = read_record(run)
        store = self._store(entry, run, up)
        links = [
            {"href": f"{Path(book.file).stem}.html", "title": localised(book.title.in_(lang), lang), "file": book.file}
            for book in protocol.notebooks
        ]
        found = []
        for rank, link in enumerate(links):
            rendered = render_notebook(
                run.folder / "notebooks" / link["file"], gate, lang=lang, store=store, level=self.level
            )
            self._write(
                "notebook.html",
                f"{place}/{link['href']}",
                lang,
                title=link["title"],
                file=link["file"],
                cells=rendered.cells,
                study_title=about["title"],
                study_page="index.html",
                synthetic=run.synthetic,
                before=links[rank - 1] if rank else None,
                after=links[rank + 1] if rank + 1 < len(links) else None,
            )
            found.append((link, rendered))
        return found


def _is_offered(name: str) -> bool:
    """Say whether a page offers a file: not the formats for print, such as ``sir_map.300dpi.png``."""
    return name.endswith(_OFFERED) and name.count(".") == 1


def _word(lang: str, key: str, **values: object) -> str:
    return word(key, lang, **values)
