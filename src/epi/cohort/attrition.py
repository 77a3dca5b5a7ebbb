"""Attrition: how many patients each filter took out, from the base to the cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from epi.cohort.definition import Definition
from epi.cohort.flow_chart import draw_flow, draw_flows
from epi.cohort.wording import Text
from epi.plotting import Chart
from epi.results import Counted, Release

if TYPE_CHECKING:
    from epi.workspace import Workspace

_KNOWN = Text("known to the base", "connus de la base")
_OPPOSED = Text("not opposed to research", "non opposés à la recherche")
_TRACED = Text("information note traced", "note d'information tracée")
_LABELS = {
    "en": {"step": "Step", "label": "Patients who are...", "n": "Patients", "cohort": "Cohort"},
    "fr": {"step": "Étape", "label": "Patients...", "n": "Patients", "cohort": "Cohorte"},
}


@dataclass(frozen=True)
class Attrition:
    """The rows that the filters wrote.

    Parameters
    ----------
    name : str
        The cohort.
    table : pandas.DataFrame
        ``step, label, reason, n_in, n_out, removed, looks_ahead``: who stays at each step, why the
        others leave, how many; French words in ``label_fr, reason_fr``.
    sentence, sentence_fr : str
        The opposition rule applied.
    synthetic : bool
        Whether the data are invented.
    """

    name: str
    table: pd.DataFrame
    sentence: str
    sentence_fr: str
    synthetic: bool

    def release(self, lang: str = "en") -> Release:
        """Say what would be published: patients left after each step, each included in the one before.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        Release
            ``step, label, n``; differences between rows count persons too.
        """
        return Release(
            _published(self.table, lang),
            counts=(Counted("n", nested=True),),
            title=f"Flux des patients, {self.name}" if lang == "fr" else f"Flow of patients, {self.name}",
            note=_banner(self.synthetic, lang) + (self.sentence_fr if lang == "fr" else self.sentence),
            not_counts=("step",),
            labels=_LABELS[lang],
        )

    def chart(self, lang: str = "en") -> Chart:
        """Draw the flow chart.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        Chart
            Boxes from the base to the cohort, exclusions on the right.
        """
        release = self.release(lang)
        reason = "reason_fr" if lang == "fr" else "reason"
        reasons = dict(zip(release.table["label"], self.table[reason], strict=True))
        if lang == "fr":
            alt = f"Diagramme de flux de « {self.name} », de la base à la cohorte en {len(self.table)} étapes."
        else:
            alt = f"Flow chart of '{self.name}', from the base to the cohort in {len(self.table)} steps."
        return Chart(release, lambda table: draw_flow(table, reasons, lang, self.synthetic), alt)

    def _repr_html_(self) -> str:
        shown = self.table[["step", "label", "n_out", "removed", "reason"]].copy()
        shown["label"] = shown["label"].where(
            ~self.table["looks_ahead"], shown["label"] + " ⚠ looks past the index date"
        )
        shown["n_out"] = shown["n_out"].map("{:,}".format)
        shown["removed"] = shown["removed"].map(lambda n: f"−{n:,}" if n else "")
        shown["reason"] = shown["reason"].where(self.table["removed"] > 0, "")
        shown.columns = pd.Index(["step", "patients who are", "left", "taken out", "because"])
        head = f"<p>{escape(_banner(self.synthetic, 'en') + self.sentence)}</p>"
        return head + str(shown.to_html(index=False, border=0))


@dataclass(frozen=True)
class AttritionComparison:
    """Two attritions side by side.

    Parameters
    ----------
    names : tuple of str
        The cohorts.
    table : pandas.DataFrame
        ``label`` and, for each cohort, ``n_1, removed_1, n_2, removed_2``; missing where a cohort
        has no such step.
    attritions : tuple of Attrition
        What is compared.
    """

    names: tuple[str, str]
    table: pd.DataFrame
    attritions: tuple[Attrition, Attrition]

    def release(self, lang: str = "en") -> Release:
        """Say what would be published: one row for each step of each cohort.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        Release
            ``cohort, step, label, n``.
        """
        rows = [
            _published(attrition.table, lang).assign(cohort=name)
            for name, attrition in zip(self.names, self.attritions, strict=True)
        ]
        both = pd.concat(rows, ignore_index=True)[["cohort", "step", "label", "n"]]
        joint = " et " if lang == "fr" else " and "
        first = self.attritions[0]
        return Release(
            both,
            counts=(Counted("n", nested=True, adds_up_within=("cohort",)),),
            title=("Flux des patients, " if lang == "fr" else "Flow of patients, ") + joint.join(self.names),
            note=_banner(first.synthetic, lang) + (first.sentence_fr if lang == "fr" else first.sentence),
            not_counts=("step",),
            labels=_LABELS[lang],
        )

    def chart(self, lang: str = "en") -> Chart:
        """Draw both flow charts side by side.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        Chart
            Two columns.
        """
        column = "reason_fr" if lang == "fr" else "reason"
        reasons: dict[str, dict[str, str]] = {}
        for name, attrition in zip(self.names, self.attritions, strict=True):
            labels = _published(attrition.table, lang)["label"]
            reasons[name] = dict(zip(labels, attrition.table[column], strict=True))
        alt = " / ".join(self.names)
        synthetic = self.attritions[0].synthetic
        return Chart(
            self.release(lang), lambda table: draw_flows(table, reasons, lang, synthetic), f"Flow charts: {alt}."
        )

    def _repr_html_(self) -> str:
        shown = self.table.copy()
        for name in shown.columns[1:]:
            shown[name] = shown[name].map(lambda n: "" if pd.isna(n) else f"{int(n):,}")
        shown.columns = pd.Index(
            ["patients who are", *(f"{name}: {what}" for name in self.names for what in ("left", "out"))]
        )
        return str(shown.to_html(index=False, border=0))


def build_attrition(name: str, workspace: Workspace, definition: Definition, counts: Sequence[int]) -> Attrition:
    """Write the attrition of a definition, the opposition rule first.

    Parameters
    ----------
    name : str
        The cohort.
    workspace : Workspace
        The data, whose opposition ledger opens the flow.
    definition : Definition
        The filters.
    counts : sequence of int
        Patients lost at each part, then members.

    Returns
    -------
    Attrition
        The rows.
    """
    ledger = workspace.opposition
    totals = ledger.totals
    opposed = totals["opposed"] + totals["unreadable"]
    rows = [(_KNOWN, Text("", ""), 0, False), (_OPPOSED, Text("opposed", "opposés"), opposed, False)]
    if ledger.rule == "strict":
        rows.append((_TRACED, Text("no trace of the note", "note non tracée"), totals["not_traced"], False))
    lost = iter(counts)
    for criterion in definition.criteria:
        ahead = definition.ahead(criterion)
        rows += [(part.kept, part.lost, next(lost), ahead) for part in criterion.parts()]
    left = sum(totals.values())
    written = []
    for step, (kept, reason, removed, ahead) in enumerate(rows):
        written.append((step, kept.en, reason.en, left, left - removed, removed, ahead, kept.fr, reason.fr))
        left -= removed
    columns = ["step", "label", "reason", "n_in", "n_out", "removed", "looks_ahead", "label_fr", "reason_fr"]
    table = pd.DataFrame(written, columns=columns)
    return Attrition(name, table, ledger.sentence("en"), ledger.sentence("fr"), workspace.synthetic)


def compare_attrition(first: Attrition, second: Attrition) -> AttritionComparison:
    """Put two attritions side by side, their common steps on one row.

    Parameters
    ----------
    first, second : Attrition
        The attritions of two cohorts.

    Returns
    -------
    AttritionComparison
        The table and its chart.
    """
    names = (first.name, second.name if second.name != first.name else f"{second.name} (2)")
    sides = []
    for rank, attrition in enumerate((first, second), start=1):
        side = attrition.table[["label", "n_out", "removed"]].rename(
            columns={"n_out": f"n_{rank}", "removed": f"removed_{rank}"}
        )
        # The same words may come twice (a known residence asked for by two filters).
        sides.append(side.assign(nth=side.groupby("label").cumcount()))
    keys = ["label", "nth"]
    order = _merge_order(
        [tuple(row) for row in sides[0][keys].to_numpy()], [tuple(row) for row in sides[1][keys].to_numpy()]
    )
    both = pd.DataFrame(order, columns=keys).merge(sides[0], how="left", on=keys).merge(sides[1], how="left", on=keys)
    numbers = ["n_1", "removed_1", "n_2", "removed_2"]
    return AttritionComparison(
        names, both[["label", *numbers]].astype(dict.fromkeys(numbers, "Int64")), (first, second)
    )


def _merge_order(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Interleave two sequences, common items once and in the order of the first."""
    merged: list[tuple[str, int]] = []
    rest = list(second)
    for item in first:
        if item in rest:
            place = rest.index(item)
            merged += [other for other in rest[:place] if other not in first]
            rest = rest[place + 1 :]
        merged.append(item)
    return merged + [item for item in rest if item not in merged]


def _published(table: pd.DataFrame, lang: str) -> pd.DataFrame:
    label = table["label_fr" if lang == "fr" else "label"]
    ahead = " ⚠ regarde après la date index" if lang == "fr" else " ⚠ looks past the index date"
    return pd.DataFrame(
        {"step": table["step"], "label": label.where(~table["looks_ahead"], label + ahead), "n": table["n_out"]}
    )


def _banner(synthetic: bool, lang: str) -> str:
    if not synthetic:
        return ""
    return "DONNÉES SYNTHÉTIQUES. " if lang == "fr" else "SYNTHETIC DATA. "
