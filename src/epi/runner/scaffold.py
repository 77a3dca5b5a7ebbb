"""A new study: a folder that runs as it is, for its authors to make their own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from string import Template
from typing import Any

from epi.errors import ParameterError
from epi.files import storage_faults, write_text
from epi.runner.study import NAME, Study, open_study, studies_root

DESIGNS = ("incidence", "case_control")
"""What a new study may be: incidence by territory, or that and cases against controls of another rare disease."""

LONGEST_NAME = 60
CONTROLS = (273, 269, 399, 95, 166)
"""Monogenic neurological diseases: no environment made them. Those of the study itself are left out."""

_TEMPLATE = Path(__file__).parent / "template"


def new_study(
    name: str,
    root: str | os.PathLike[str] | None = None,
    *,
    orpha: str | int = 803,
    design: str = "incidence",
    title_en: str | None = None,
    title_fr: str | None = None,
    lang: str = "en",
) -> Study:
    """Write the folder of a new study, whole or not at all.

    Parameters
    ----------
    name : str
        Its identifier: lower-case letters, digits and ``_``.
    root : path-like, optional
        The folder that holds the studies; by default ``EPI_STUDIES``, or ``studies``.
    orpha : str or int, optional
        ORPHA code of the disease.
    design : {"incidence", "case_control"}, optional
        What is written: incidence by territory, or that and a comparison with controls.
    title_en, title_fr : str, optional
        Its title; by default made of the disease's name.
    lang : {"en", "fr"}, optional
        Language of the README, of the notebooks' text and of figures; the protocol is in both.

    Returns
    -------
    Study
        The study, checked.

    Raises
    ------
    ParameterError
        If the name, design, language or title cannot be, or the folder exists.
    CodeError
        If there is no such disease, or its code is no longer used.
    StorageError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = new_study("als_incidence", folder, orpha=803)
    ...     study.name, study.presets
    ('als_incidence', ('confirmed_only', 'recent'))
    """
    place = studies_root(root)
    _check(name, design, lang, {"--title-en": title_en, "--title-fr": title_fr})
    target = place / name
    if os.path.lexists(target):
        raise ParameterError(f"{target} exists already", "a name that is not taken", "epi study list")
    words = _words(name, orpha, design, title_en, title_fr, lang)
    work = place / f".{name}.{os.getpid()}.part"
    with storage_faults(target):
        work.mkdir(parents=True)
        try:
            _write(work / name, words, design, lang)
            open_study(work / name).check()
            (work / name).rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return open_study(target)


def _check(name: str, design: str, lang: str, titles: dict[str, str | None]) -> None:
    faults = []
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        faults.append(f"name {name!r}: lower-case letters, digits and _, a letter first, {LONGEST_NAME} at most")
    if design not in DESIGNS:
        faults.append(f"design {design!r}: {' or '.join(DESIGNS)}")
    if lang not in {"en", "fr"}:
        faults.append(f"language {lang!r}: en or fr")
    for option, title in titles.items():
        if title is not None and not (title.strip() and title.isprintable() and len(title) <= 200):
            faults.append(f"{option}: one line of 1 to 200 characters")
    if faults:
        raise ParameterError("the study cannot be made", faults=faults, do="epi study new --help")


def _words(
    name: str, orpha: str | int, design: str, title_en: str | None, title_fr: str | None, lang: str
) -> dict[str, str]:
    from epi.codes import open_nomenclature
    from epi.errors import CodeError

    orphanet = open_nomenclature()
    code = orphanet.parse(orpha)
    if orphanet.status(code) != "active":
        raise CodeError(
            f"ORPHA:{code} is {orphanet.status(code)}",
            "an active code",
            "epi codes search WORDS finds the codes in use",
        )
    disease = {language: orphanet.label(code, language) for language in ("en", "fr")}
    related = {code, *orphanet.descendants(code), *orphanet.ancestors(code)}
    compared = design == "case_control"
    return {
        "name": name,
        "orpha": str(code),
        "control_orpha": json.dumps([other for other in CONTROLS if other not in related]),
        "lang": lang,
        "title_en": title_en or f"Incidence by territory: {disease['en']}",
        "title_fr": title_fr or f"Incidence par territoire : {disease['fr']}",
        "question_en": f"Does the incidence vary between territories? ({disease['en']}, ORPHA:{code})",
        "question_fr": f"L'incidence varie-t-elle entre territoires ? ({disease['fr']}, ORPHA:{code})",
        "population_en": "Incident cases: first confirmed or probable diagnosis within the period, living in France.",
        "population_fr": "Cas incidents : premier diagnostic confirmé ou probable dans la période, résidant en France.",
        "design_en": "Incidence ratios by territory, indirectly standardised on age and sex, exact Poisson intervals."
        + (" Cases against controls with another rare disease: logistic regression, adjusted." if compared else ""),
        "design_fr": "Rapports d'incidence par territoire, standardisation indirecte sur l'âge et le sexe, intervalles "
        "exacts de Poisson."
        + (
            " Cas contre témoins atteints d'une autre maladie rare : régression logistique ajustée." if compared else ""
        ),
        "and_controls": (" and who is a control" if lang == "en" else " et qui est un témoin") if compared else "",
    }


def _write(folder: Path, words: dict[str, str], design: str, lang: str) -> None:
    compared = design == "case_control"
    notebooks = ["01_cases.ipynb", "02_incidence.ipynb", *(["03_association.ipynb"] if compared else [])]
    texts = ("title", "question", "population", "design")
    in_yaml = {f"{text}_{language}": json.dumps(words[f"{text}_{language}"], ensure_ascii=False)
               for text in ("title", "question") for language in ("en", "fr")}  # fmt: skip
    blocks = {name: text if compared else "" for name, text in _read_blocks().items()}
    for name in ("protocol.yml", "checklist.yml"):
        text = Template(_read(name)).substitute(
            words | in_yaml | {block: Template(text).substitute(words) for block, text in blocks.items()}
        )
        write_text(folder / name, "".join(line + "\n" for line in text.splitlines() if line.strip()))
    plain = {f"{text}_{language}": words[f"{text}_{language}"] for text in texts for language in ("en", "fr")}
    write_text(folder / "README.md", Template(_read(f"README.{lang}.md")).substitute(words | plain))
    code = _read("design.txt") + (_read("controls.txt") if compared else "")
    english = " and who is a control" if compared else ""
    write_text(folder / "design.py", Template(code).substitute(words | {"and_controls": english}))
    for path in sorted((_TEMPLATE / "parameters").glob("*.yml")):
        write_text(folder / "parameters" / path.name, path.read_text(encoding="utf-8"))
    for name in notebooks:
        write_text(folder / name, _notebook(name, words, lang))


def _read(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8")


def _read_blocks() -> dict[str, str]:
    """Read what a comparison adds to the protocol, by the place where it goes."""
    blocks: dict[str, str] = {}
    for part in _read("protocol_controls.yml").split("# at ")[1:]:
        place, _, text = part.partition("\n")
        blocks[place.strip()] = text
    return blocks


def _notebook(name: str, words: dict[str, str], lang: str) -> str:
    """Fill in a notebook and keep the text of one language."""
    content: dict[str, Any] = json.loads(_read(name))
    cells = [cell for cell in content["cells"] if cell["metadata"].pop("lang", lang) == lang]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:02d}"
        cell["source"] = [Template(line).substitute(words) for line in cell["source"]]
    return json.dumps(content | {"cells": cells}, indent=1, ensure_ascii=False) + "\n"
