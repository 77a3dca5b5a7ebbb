"""The page of the reporting checklist: each item with links to where it is answered."""

from __future__ import annotations

from typing import Any

from epi.protocol import Protocol
from epi.runner.checklist import Checklist, Pointer
from epi.runner.site.figures import label_of, localised
from epi.runner.site.words import word

CHECKLIST_PAGE = "checklist.html"
OTHERS = {"title": {"fr": "titre", "en": "title"}, "outputs": {"fr": "sorties", "en": "outputs"}}


def checklist_view(checklist: Checklist, protocol: Protocol, lang: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Lay out the items and their answers by guideline.

    Parameters
    ----------
    checklist : Checklist
        The answers.
    protocol : Protocol
        The study's protocol, for the titles of notebooks and outputs.
    lang : {"fr", "en"}
        The language.

    Returns
    -------
    list of tuple
        Guideline, and one mapping an item: item, topic, links, note.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in checklist.guidelines}
    for item, answer in checklist.rows():
        note = localised(answer.note.in_(lang), lang) if answer.note else ""
        found[item.guideline].append(
            {
                "item": item.item,
                "topic": localised(item.topic_fr if lang == "fr" else item.topic_en, lang),
                "links": [_link(pointer, protocol, lang) for pointer in answer.pointers],
                "note": note if answer.applies else f"{word('not_applicable', lang)} ({note})",
            }
        )
    return list(found.items())


def _link(pointer: Pointer, protocol: Protocol, lang: str) -> dict[str, str]:
    if pointer.kind == "notebook":
        titles = {book.file: book.title.in_(lang) for book in protocol.notebooks}
        return {
            "label": localised(titles.get(pointer.name, pointer.name), lang),
            "href": pointer.name.replace(".ipynb", ".html"),
        }
    if pointer.kind == "output":
        return {"label": label_of(pointer.name, protocol, lang), "href": f"index.html#output-{pointer.name}"}
    if pointer.kind == "page":
        return {"label": word(pointer.name if pointer.name != "runs" else "other_runs", lang),
                "href": f"index.html#{pointer.name}"}  # fmt: skip
    if pointer.kind == "result":
        label = f"{word('pointer_result', lang)} {label_of(pointer.name, protocol, lang)}"
        return {"label": label, "href": "index.html#results"}
    known = {"design", "population", "legal", "investigators", "sources", "variables", "parameters", "limits",
             "question", "opposition", "min_count", "notebooks"}  # fmt: skip
    anchor = {"limits": "limits", "notebooks": "notebooks", "outputs": "results"}.get(pointer.name, "protocol")
    part = word(pointer.name, lang) if pointer.name in known else OTHERS[pointer.name][lang]
    return {"label": f"{word('pointer_protocol', lang)} ({part.lower()})", "href": f"index.html#{anchor}"}
