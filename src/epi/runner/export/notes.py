"""What an export says of itself: study, run, data, rule of suppression, licences, in one language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from epi.runner.export.bundle import Bundle, Output
from epi.runner.site.figures import date_text, localised

_WORDS: dict[str, tuple[str, str]] = {
    "study": ("Study", "Étude"),
    "version": ("protocol version", "version du protocole"),
    "run": ("Run", "Exécution"),
    "data": ("Data", "Données"),
    "synthetic": (
        "SYNTHETIC: nobody in these figures exists, and no conclusion may be drawn from them",
        "SYNTHÉTIQUES : aucune personne n'existe, et rien ne peut être conclu de ces chiffres",
    ),
    "real": ("real, as described in the protocol", "réelles, décrites dans le protocole"),
    "extracted": ("extracted on {date}", "extraites le {date}"),
    "fingerprint": ("Data fingerprint", "Empreinte des données"),
    "code": ("Code", "Code"),
    "level": ("Level", "Niveau"),
    "public": (
        "public: what the protocol lets anyone read",
        "public : ce que le protocole laisse lire à tous",
    ),
    "restricted": (
        "RESTRICTED: holds outputs for the scientific committee, not for publication",
        "RESTREINT : contient des sorties réservées au conseil scientifique, à ne pas publier",
    ),
    "internal": (
        "INTERNAL: holds outputs for the study's analysts only, not for publication",
        "INTERNE : contient des sorties réservées aux analystes de l'étude, à ne pas publier",
    ),
    "left_out": ("Kept back by this level", "Retenu par ce niveau"),
    "suppression": ("Suppression", "Masquage"),
    "rule": (
        "Counts from 1 to {below} are hidden, with whatever would give them back; {mark} stands for a hidden cell, "
        "whatever the reason. An empty cell has no value.",
        "Les effectifs de 1 à {below} sont masqués, avec tout ce qui permettrait de les retrouver ; {mark} tient lieu "
        "de cellule masquée, quelle qu'en soit la raison. Une cellule vide n'a pas de valeur.",
    ),
    "basis": ("Legal basis", "Base légale"),
    "sources": ("Sources and licences", "Sources et licences"),
    "parameters": ("Parameters", "Paramètres"),
    "drawn_fr": (
        "Titles and figures are in French, as the run made them",
        "Titres et figures sont en français, comme l'exécution les a faits",
    ),
    "drawn_en": (
        "Titles and figures are in English, as the run made them",
        "Titres et figures sont en anglais, comme l'exécution les a faits",
    ),
    "table_of": ("table", "tableau"),
    "figure_of": ("figure, the table it is drawn from", "figure, le tableau dont elle est tirée"),
    "results": ("recorded results", "résultats enregistrés"),
    "note": ("Note", "Note"),
    "hidden": ("Hidden", "Masqué"),
    "sheet": ("Sheet", "Feuille"),
    "kind": ("Kind", "Nature"),
    "title": ("Title", "Titre"),
    "meaning": ("Meaning", "Sens"),
    "rows": ("Rows", "Lignes"),
    "hidden_cells": ("Hidden cells", "Cellules masquées"),
    "notes": ("Notes", "Notes"),
    "yes": ("yes", "oui"),
    "no": ("no", "non"),
    "files": ("Files", "Fichiers"),
    "verify": (
        "To verify that nothing changed: sha256sum --check SHA256SUMS. A number that disagrees with this run is wrong, "
        "here or there.",
        "Pour vérifier que rien n'a changé : sha256sum --check SHA256SUMS. Un nombre qui diffère de cette exécution "
        "est faux, ici ou là.",
    ),
    "again": (
        "The same command on the same run writes the same bytes.",
        "La même commande sur la même exécution écrit les mêmes octets.",
    ),
    "beside": (
        "Beside each figure lies the table it is drawn from. Letters of SVG files are outlines, fonts of PDF files are "
        "embedded.",
        "À côté de chaque figure se trouve le tableau dont elle est tirée. Les lettres des fichiers SVG sont des "
        "contours, les polices des fichiers PDF sont incorporées.",
    ),
}


def say(key: str, lang: str, **values: object) -> str:
    """Give a text of an export.

    Parameters
    ----------
    key : str
        Its name.
    lang : {"en", "fr"}
        The language.
    **values : object
        What to fill in.

    Returns
    -------
    str
        The text, set by the typography of its language.
    """
    text = _WORDS[key][lang == "fr"]
    return localised(text.format(**values) if values else text, lang)


def describe_bundle(bundle: Bundle, lang: str) -> list[tuple[str, str]]:
    """Say what an export is, line by line.

    Parameters
    ----------
    bundle : Bundle
        What leaves.
    lang : {"en", "fr"}
        The language.

    Returns
    -------
    list of tuple of str
        What is said, and what of it.
    """
    run, protocol, manifest = bundle.run, bundle.protocol, bundle.run.manifest
    data: Mapping[str, Any] = manifest.get("data") or {}
    origin = say("synthetic" if run.synthetic else "real", lang)
    if data.get("title"):
        origin += f". {data['title']}"
    if data.get("extraction_date"):
        origin += ", " + say("extracted", lang, date=date_text(str(data["extraction_date"]), lang))
    code: Mapping[str, Any] = manifest.get("code") or {}
    mark = next((output.mark for output in bundle.outputs), "[c]")
    lines = [
        (say("study", lang), f"{protocol.title.in_(lang)} ({run.study}, {say('version', lang)} {protocol.version})"),
        (say("run", lang), run.run_id),
        (say("data", lang), origin),
        (say("level", lang), say(bundle.level, lang)),
        (say("suppression", lang), say("rule", lang, below=int(manifest["min_count"]) - 1, mark=mark)),
        (say("basis", lang), protocol.legal.basis),
        (say("parameters", lang), _parameters(manifest)),
        (say("sources", lang), _licences(data, lang)),
        (say("code", lang), " ".join(f"{name} {code[name]}" for name in ("version", "commit") if code.get(name))),
        (say("fingerprint", lang), str(manifest.get("data_fingerprint") or "")),
    ]
    if bundle.left_out:
        lines.insert(4, (say("left_out", lang), ", ".join(bundle.left_out)))
    drawn = str((manifest.get("ingredients") or {}).get("lang") or lang)
    if drawn != lang:
        lines.append((say("note", lang), say(f"drawn_{drawn}", lang)))
    return [(what, text) for what, text in lines if text]


def describe_output(output: Output, lang: str) -> list[str]:
    """Give the notes printed below a table.

    Parameters
    ----------
    output : Output
        A released output.
    lang : {"en", "fr"}
        The language of the frame; titles and notes are in the run's.

    Returns
    -------
    list of str
        Meaning, note, what was hidden; those that are there.
    """
    meaning = localised(output.meaning, lang) if output.meaning != output.title else ""
    told = (meaning, str(output.layout.get("note") or ""), str(output.layout.get("hidden") or ""))
    return [text if text[-1] in ".!?)" else f"{text}." for text in told if text]


def _parameters(manifest: Mapping[str, Any]) -> str:
    values: Mapping[str, Any] = manifest.get("parameters") or {}
    return "; ".join(
        f"{name} = {', '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in values.items()
    )


def _licences(data: Mapping[str, Any], lang: str) -> str:
    found: dict[str, list[str]] = {}
    for name, about in sorted(dict(data.get("exposures") or {}).items()):
        holder = f"{about.get('producer') or '?'} ({about.get('licence') or '?'})"
        found.setdefault(holder, []).append(str(about.get(f"label_{lang}") or name))
    return "; ".join(f"{holder}: {', '.join(labels)}" for holder, labels in found.items())
