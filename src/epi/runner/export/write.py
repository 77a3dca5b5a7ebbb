"""Write an export: a folder that was not there, whole or not at all, with a digest of each file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epi.disclosure.door import PRINT_DPI, quote_formula
from epi.errors import DisclosureError, ParameterError, StorageError
from epi.files import dump_json, storage_faults, write_bytes
from epi.runner.export.bundle import Bundle, Output, open_bundle
from epi.runner.export.notes import describe_bundle, describe_output, say
from epi.runner.folder import Run

FIGURES = ("png", "svg", "pdf")
TABLES = ("csv", "xlsx", "docx")
_MANIFEST = "manifest.json"
_KIND = "epi export"
_VALUES = ("name", "stratum", "estimate", "ci_low", "ci_high", "unit", "n")
_RESULTS = (*_VALUES, "suppressed", "reason", "settings", "level")


@dataclass(frozen=True)
class Export:
    """A written export.

    Parameters
    ----------
    folder : Path
        Where it lies.
    bundle : Bundle
        What left.
    files : mapping
        Path inside the folder and SHA-256 of each file, ``manifest.json`` and ``SHA256SUMS`` left out.
    """

    folder: Path
    bundle: Bundle
    files: Mapping[str, str]


def export_run(
    run: Run,
    to: str | os.PathLike[str],
    *,
    figures: Sequence[str] = FIGURES,
    tables: Sequence[str] = TABLES,
    only: Sequence[str] = (),
    level: str = "public",
    lang: str = "en",
) -> Export:
    """Write the released figures and tables of a run, in the formats that journals ask for.

    Parameters
    ----------
    run : Run
        A finished run.
    to : path-like
        The folder to write; an earlier export there is replaced, anything else is refused.
    figures : sequence of {"png", "svg", "pdf"}, optional
        Formats of figures, all by default. PNG is at 300 dots per inch.
    tables : sequence of {"csv", "xlsx", "docx"}, optional
        Formats of tables, all by default.
    only : sequence of str, optional
        Names of outputs; all of the level by default.
    level : {"public", "restricted", "internal"}, optional
        The most private level carried; the export says so.
    lang : {"en", "fr"}, optional
        Language of notes and of numbers in Word.

    Returns
    -------
    Export
        The folder: ``figures/`` with the table of each beside it, ``tables/``, ``tables.xlsx``,
        ``results.csv``, ``README.md``, ``manifest.json`` and ``SHA256SUMS``.

    Raises
    ------
    ParameterError
        If a format, a name, the level or the language is unknown; all faults at once.
    RunError
        If the run has not ended well.
    DisclosureError
        If a released file changed since the run, or the written folder holds what must not leave.
    StorageError
        If the folder holds something else, or the disk is full: nothing half-written is left.

    Notes
    -----
    The gate draws every format from the checked table when it releases a figure; here files are
    copied, after their digests were compared. The same run gives the same bytes.
    """
    faults = _unknown(figures, FIGURES, "figures") + _unknown(tables, TABLES, "tables")
    if faults:
        raise ParameterError("; ".join(faults), do="epi export --help")
    bundle = open_bundle(run, level=level, lang=lang)
    chosen = _choose(bundle, only)
    final = Path(to).resolve()
    _check_place(final)
    contents = _contents(chosen, tuple(figures), tuple(tables), lang)
    contents["README.md"] = _readme(chosen, sorted(contents), lang).encode()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    contents[_MANIFEST] = dump_json(_manifest(chosen, digests, lang)).encode()
    listed = {**digests, _MANIFEST: hashlib.sha256(contents[_MANIFEST]).hexdigest()}
    contents["SHA256SUMS"] = "".join(f"{digest}  {name}\n" for name, digest in sorted(listed.items())).encode()
    _write(final, contents)
    return Export(final, chosen, digests)


def _unknown(given: Sequence[str], known: Sequence[str], what: str) -> list[str]:
    wrong = [form for form in given if form not in known]
    return [f"{what}: {', '.join(map(repr, wrong))} is no format ({', '.join(known)})"] if wrong else []


def _choose(bundle: Bundle, only: Sequence[str]) -> Bundle:
    if not only:
        return bundle
    import difflib

    names = [output.name for output in bundle.outputs]
    faults = []
    for name in only:
        if name in bundle.left_out:
            faults.append(f"{name} is kept back by level {bundle.level}: --level widens it, and the export says so")
        elif name not in names:
            near = difflib.get_close_matches(name, names, n=3) or names[:12]
            faults.append(f"{name} was not released by this run; near: {', '.join(near)}")
    if faults:
        raise ParameterError(f"{len(faults)} output(s) cannot be exported", "names of released outputs", faults=faults)
    kept = tuple(output for output in bundle.outputs if output.name in only)
    return Bundle(bundle.run, bundle.protocol, bundle.level, kept, (), bundle.left_out)


def _check_place(final: Path) -> None:
    """Refuse a folder that holds what no export wrote."""
    if not final.exists():
        return
    if not final.is_dir():
        raise StorageError(f"{final} is a file", "a folder", "choose another --to")
    there = {path.relative_to(final).as_posix() for path in final.rglob("*") if not path.is_dir() or path.is_symlink()}
    if not there:
        return
    try:
        manifest = json.loads((final / _MANIFEST).read_text(encoding="utf-8"))
        ours = {*manifest["files"], _MANIFEST, "SHA256SUMS"} if manifest["kind"] == _KIND else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    others = sorted(there - ours)
    if others:
        raise StorageError(
            f"{final} holds {len(others)} file(s) that no export wrote, such as {others[0]}",
            "an empty folder, or an earlier export left as it was",
            "choose another --to",
        )


def _contents(bundle: Bundle, figures: tuple[str, ...], tables: tuple[str, ...], lang: str) -> dict[str, bytes]:
    from epi.runner.export.word import write_document
    from epi.runner.export.workbook import write_workbook

    found: dict[str, bytes] = {}
    for output in bundle.outputs:
        drawn = output.kind == "figure"
        for form in figures if drawn else ():
            found[f"figures/{output.name}.{form}"] = output.files[_file_of(output, form)]
        # A figure never leaves without the table it is drawn from.
        if "csv" in tables or (drawn and figures):
            found[f"{'figures' if drawn else 'tables'}/{output.name}.csv"] = output.files[f"{output.name}.csv"]
        if "docx" in tables and not drawn:
            found[f"tables/{output.name}.docx"] = write_document(bundle, output, lang)
    if "xlsx" in tables:
        found["tables.xlsx"] = write_workbook(bundle, lang)
    if "csv" in tables and bundle.results:
        found["results.csv"] = _results_csv(bundle.results)
    return found


def _file_of(output: Output, form: str) -> str:
    return f"{output.name}.{PRINT_DPI}dpi.png" if form == "png" else f"{output.name}.{form}"


def _results_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_RESULTS)
    for row in rows:
        hidden = bool(row.get("suppressed"))
        values = {
            **row,
            "stratum": json.dumps(row["stratum"], sort_keys=True, ensure_ascii=False),
            "settings": json.dumps(row["settings"], sort_keys=True, ensure_ascii=False),
            "estimate": "[c]" if hidden else row["estimate"],
        }
        writer.writerow(["" if (value := values.get(name)) is None else _plain(value) for name in _RESULTS])
    return buffer.getvalue().encode()


def _plain(value: Any) -> str:
    return quote_formula(value) if isinstance(value, str) else repr(value)


def _manifest(bundle: Bundle, digests: Mapping[str, str], lang: str) -> dict[str, Any]:
    manifest = bundle.run.manifest
    return {
        "format": 1,
        "kind": _KIND,
        "study": bundle.run.study,
        "protocol_version": bundle.protocol.version,
        "run_id": bundle.run.run_id,
        "level": bundle.level,
        "lang": lang,
        "synthetic": bundle.run.synthetic,
        "min_count": manifest.get("min_count"),
        "parameters": manifest.get("parameters"),
        "data_fingerprint": manifest.get("data_fingerprint"),
        "code": manifest.get("code"),
        "gate_sha256": dict(manifest.get("gate") or {}).get("digest"),
        "outputs": [
            {
                "name": output.name,
                "kind": output.kind,
                "level": output.level,
                "title": output.title,
                "rows": len(output.rows),
                "hidden_cells": output.hidden,
                "files": [name for name in digests if Path(name).stem == output.name],
            }
            for output in bundle.outputs
        ],
        "left_out": list(bundle.left_out),
        "files": dict(digests),
    }


def _readme(bundle: Bundle, names: Sequence[str], lang: str) -> str:
    lines = [f"# {bundle.protocol.title.in_(lang)}", ""]
    colon = "\u00a0:" if lang == "fr" else ":"
    lines += [f"- **{what}**{colon} {text}" for what, text in describe_bundle(bundle, lang)]
    lines += ["", f"## {say('files', lang)}", ""]
    if any(name.startswith("figures/") for name in names):
        lines += [say("beside", lang), ""]
    for output in bundle.outputs:
        own = [name for name in names if Path(name).stem == output.name]
        if own:
            notes = " ".join(describe_output(output, lang))
            lines.append(
                f"- **{output.title or output.meaning or output.name}**: {', '.join(f'`{name}`' for name in own)}"
            )
            lines += [f"  {notes}"] if notes else []
    own = [name for name in names if name in {"results.csv", "tables.xlsx"}]
    lines += [f"- `{name}`" for name in own]
    return "\n".join([*lines, "", say("verify", lang), say("again", lang), ""])


def _write(final: Path, contents: Mapping[str, bytes]) -> None:
    from epi.disclosure import check_outputs

    work = final.with_name(f".{final.name}.{os.getpid()}.part")
    old = final.with_name(f".{final.name}.{os.getpid()}.old")
    with storage_faults(final):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            for name, content in sorted(contents.items()):
                write_bytes(work / name, content)
            # A second lock, on the files themselves: what leaves is looked at once more.
            refused = [str(finding) for finding in check_outputs(work) if finding.severity == "refused"]
            if refused:
                raise DisclosureError(
                    f"the export holds what must not leave: {len(refused)} finding(s), and nothing was written",
                    do="correct the study, or leave the output out with --only",
                    faults=refused,
                )
            if final.exists():
                final.rename(old)
            work.rename(final)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(work, ignore_errors=True)
