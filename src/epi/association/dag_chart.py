"""The picture of a graph of causes: layers from causes to effects, what is not measured dashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epi.plotting import ACCENT, INK, MUTED, WARM, Chart, new_figure
from epi.results import Release

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from epi.association.dag import Dag
    from epi.association.sir import Lang

_WORDS = {
    "en": {
        "title": "What is taken to cause what", "cause": "Cause", "effect": "Effect", "exposure": "exposure",
        "outcome": "outcome", "adjusted": "adjusted for", "hidden": "not measured", "other": "other",
        "note": "Adjusted for: {}. If the graph is true, this is {}.", "nothing": "nothing",
        "yes": "sufficient", "no": "not sufficient",
    },
    "fr": {
        "title": "Ce qui est supposé causer quoi", "cause": "Cause", "effect": "Effet", "exposure": "exposition",
        "outcome": "issue", "adjusted": "ajusté", "hidden": "non mesuré", "other": "autre",
        "note": "Ajustement : {}. Si le graphe est vrai, il est {}.", "nothing": "rien",
        "yes": "suffisant", "no": "insuffisant",
    },
}  # fmt: skip
_WIDTH, _LINE = 2.35, 18
"""Inches from one layer to the next, and letters on a line of a label."""


def draw_dag(dag: Dag, exposure: str, outcome: str, adjust: tuple[str, ...], lang: Lang) -> Chart:
    """Make the picture of a graph.

    Parameters
    ----------
    dag : Dag
        The graph.
    exposure, outcome : str
        The two nodes of the question.
    adjust : tuple of str
        The adjusters.
    lang : {"fr", "en"}
        Language.

    Returns
    -------
    Chart
        The figure and the table of its arrows.
    """
    words = _WORDS[lang]
    verdict = dag.check_adjustment(exposure, outcome, adjust)
    told = ", ".join(dag.label(name, lang) for name in adjust) or words["nothing"]
    note = words["note"].format(told, words["yes" if verdict.valid else "no"])
    labels = {"cause": words["cause"], "effect": words["effect"]}
    release = Release(dag.table(lang), title=words["title"], note=note, labels=labels)
    places = place_nodes(dag, exposure, outcome)

    def draw(shown: pd.DataFrame) -> Figure:
        return _draw(dag, places, exposure, outcome, adjust, note, lang)

    alt = {
        "en": f"Graph of {len(dag.nodes)} nodes and {len(dag.arrows)} arrows. {note}",
        "fr": f"Graphe de {len(dag.nodes)} nœuds et {len(dag.arrows)} flèches. {note}",
    }[lang]
    return Chart(release, draw, alt)


def place_nodes(dag: Dag, exposure: str, outcome: str) -> dict[str, tuple[float, float]]:
    """Put the nodes in layers: after their causes, the outcome's effects last; neighbours near each other.

    Parameters
    ----------
    dag : Dag
        The graph.
    exposure, outcome : str
        The nodes that keep the middle line.

    Returns
    -------
    dict
        Column and height of each node.
    """
    parents = {name: [one for one, other in dag.arrows if other == name] for name in dag.nodes}
    layer: dict[str, int] = {}
    while len(layer) < len(dag.nodes):
        for name in dag.nodes:
            if name not in layer and all(parent in layer for parent in parents[name]):
                layer[name] = 1 + max((layer[parent] for parent in parents[name]), default=-1)
    # A cause stands just before its first effect, so that arrows are short.
    for name in sorted(dag.nodes, key=lambda one: -layer[one]):
        if dag.children[name]:
            layer[name] = min(layer[child] for child in dag.children[name]) - 1
    columns: dict[int, list[str]] = {}
    for name in dag.nodes:
        columns.setdefault(layer[name], []).append(name)
    height = dict.fromkeys(dag.nodes, 0.0)

    def spread(names: list[str]) -> None:
        for row, name in enumerate(names):
            height[name] = (len(names) - 1) / 2 - row

    for names in columns.values():
        spread(names)
    near = {name: [*parents[name], *sorted(dag.children[name])] for name in dag.nodes}
    # Barycentres, from both sides in turn (Sugiyama): each node as high as what it is joined to.
    for turn in range(24):
        for column in sorted(columns, reverse=bool(turn % 2)):
            names = columns[column]
            centre = {name: sum(height[other] for other in near[name]) / max(len(near[name]), 1) for name in names}
            names.sort(key=lambda name: (-centre[name], name))  # used at once
            spread(names)
    return {name: (float(layer[name]), height[name]) for name in dag.nodes}


def _draw(
    dag: Dag,
    places: dict[str, tuple[float, float]],
    exposure: str,
    outcome: str,
    adjust: tuple[str, ...],
    note: str,
    lang: Lang,
) -> Figure:
    import textwrap

    from matplotlib.patches import FancyArrowPatch, Patch

    words = _WORDS[lang]
    columns = [x for x, _ in places.values()]
    rows = [y for _, y in places.values()]
    wide, high = max(columns) - min(columns), max(rows) - min(rows)
    figure = new_figure(max(6.5, _WIDTH * (wide + 1)), max(2.6, 0.85 * (high + 1) + 1.1))
    axis = figure.subplots()
    axis.set_axis_off()
    axis.set_xlim(min(columns) - 0.5, max(columns) + 0.5)
    axis.set_ylim(min(rows) - 0.5, max(rows) + 0.45)
    colours = {exposure: ACCENT, outcome: WARM}
    boxes = {}
    for name, (x, y) in places.items():
        colour = colours.get(name, MUTED)
        held, hidden = name in adjust, name in dag.unmeasured
        face = colour if name in colours else "#dfe6ec" if held else "white"
        boxes[name] = axis.text(
            x, y, "\n".join(textwrap.wrap(dag.label(name, lang), _LINE)), ha="center", va="center", fontsize=9,
            color="white" if name in colours else INK, zorder=3,
            bbox={
                "boxstyle": "round,pad=0.45", "facecolor": face,
                "edgecolor": INK if held else colour, "linestyle": "--" if hidden else "-", "linewidth": 1.1,
            },
        )  # fmt: skip
    for one, other in dag.arrows:
        (x0, y0), (x1, y1) = places[one], places[other]
        # An arrow that passes a layer bends, so as not to run through what stands there.
        crossed = x1 - x0 > 1.5 and any(
            x0 < x < x1 and abs(y - (y0 + (y1 - y0) * (x - x0) / (x1 - x0))) < 0.45 for x, y in places.values()
        )
        hidden = one in dag.unmeasured
        bend = 0.0 if not crossed else (0.28 if y0 + y1 <= 0 else -0.28)
        main = one == exposure and other == outcome
        axis.add_patch(
            FancyArrowPatch(
                (x0, y0), (x1, y1), patchA=boxes[one].get_bbox_patch(), patchB=boxes[other].get_bbox_patch(),
                arrowstyle="-|>", mutation_scale=11, connectionstyle=f"arc3,rad={bend}", shrinkA=2, shrinkB=3,
                color=INK if main else MUTED, lw=1.8 if main else 1.0, linestyle="--" if hidden else "-", zorder=2,
            )
        )  # fmt: skip
    keys = [
        Patch(facecolor=ACCENT, edgecolor=ACCENT, label=words["exposure"]),
        Patch(facecolor=WARM, edgecolor=WARM, label=words["outcome"]),
        Patch(facecolor="#dfe6ec", edgecolor=INK, label=words["adjusted"]),
    ]
    if dag.unmeasured:
        keys.append(Patch(facecolor="white", edgecolor=MUTED, linestyle="--", label=words["hidden"]))
    figure.legend(handles=keys, loc="outside lower left", ncols=len(keys), frameon=False, fontsize=8.5)
    axis.set_title("\n".join(textwrap.wrap(words["title"], 90)), loc="left", fontsize=11, fontweight="bold")
    return figure
