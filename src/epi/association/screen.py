"""What an exposure-wide screen found: a table of ratios, printed, drawn and released."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from epi.association.sir import Lang
from epi.errors import ParameterError
from epi.results import Estimate, Release
from epi.stats.notation import format_number, format_ratio

if TYPE_CHECKING:
    from epi.plotting import Chart

LEAST_DF = 4.0
"""Below as many degrees of freedom, robust tests do not hold their level (Tipton 2015)."""
FEW_CLUSTERS = {
    "en": "too few effective clusters: fewer than 4 degrees of freedom",
    "fr": "trop peu de grappes effectives : moins de 4 degrés de liberté",
}
DAGGER = "†"
ESTIMATES = ("estimate", "ci_low", "ci_high", "p", "q", "q_by", "df")
SPATIAL = ("estimate_spatial", "ci_low_spatial", "ci_high_spatial", "p_spatial", "q_spatial", "p_family")


def _q_words(q: float, lang: Lang) -> str:
    return "< " + format_number(0.001, 3, lang=lang) if q < 0.001 else "= " + format_number(q, 3, lang=lang)


@dataclass(frozen=True)
class Screen:
    """Associations of many exposures with one outcome.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each set of adjusters, exposure and model (`single`: adjusted for the named adjusters
        alone; `joint`: also for all the other exposures): `adjustment_set`, `exposure`, `model`,
        `label_en`, `label_fr`, `scale_en`, `scale_fr`, `unit_size`, `n`, `n_cases`, `n_controls`,
        `estimate`, `ci_low`, `ci_high`, `p`, `q` (Benjamini-Hochberg within each set and model), `q_by`
        (Benjamini-Yekutieli, whatever the dependence: the sensitivity), `clusters`, `df`, `adjustment`,
        `reason`, empty unless the model was refused, and `warning`, empty unless the standard error
        rests on too few effective clusters. With a spatial test also `estimate_spatial`,
        `ci_low_spatial`, `ci_high_spatial`, `p_spatial`, `q_spatial` (Benjamini-Hochberg), `p_family`
        (Westfall-Young: chance of any false discovery in the family) and `areas`.
    measure : {"OR", "RR"}
        What `estimate` is.
    design : {"case-control", "areas"}
        Where it comes from.
    settings : mapping
        What determined the estimates.
    """

    table: pd.DataFrame
    measure: Literal["OR", "RR"]
    design: Literal["case-control", "areas"]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_tests(self) -> dict[str, int]:
        """Number of tests done in each model, with the main set of adjusters."""
        main = self.table[self.table["adjustment_set"] == self.adjustment_sets[0]]
        return {str(model): int(part["p"].notna().sum()) for model, part in main.groupby("model")}

    @property
    def tests(self) -> tuple[str, str]:
        """Columns of the p- and q-values to go by: the spatial ones when there are."""
        return ("p_spatial", "q_spatial") if "p_spatial" in self.table else ("p", "q")

    @property
    def adjustment_sets(self) -> tuple[str, ...]:
        """Names of the sets of adjusters, the main one first."""
        return tuple(map(str, self.table["adjustment_set"].unique()))

    def within(self, adjustment_set: str) -> Screen:
        """Keep the models of one set of adjusters.

        Parameters
        ----------
        adjustment_set : str
            Its name.

        Returns
        -------
        Screen
            A screen of that set alone.

        Raises
        ------
        ParameterError
            If there is no such set.
        """
        if adjustment_set not in self.adjustment_sets:
            raise ParameterError(
                f"there is no adjustment set {adjustment_set!r}", ", ".join(map(repr, self.adjustment_sets))
            )
        table = self.table[self.table["adjustment_set"] == adjustment_set].reset_index(drop=True)
        described = self.settings["adjustment_sets"][adjustment_set]
        settings = {**self.settings, "adjust": described, "adjustment_sets": {adjustment_set: described}}
        return replace(self, table=table, settings=settings)

    @property
    def is_empty(self) -> bool:
        """Whether no model at all could be fitted."""
        return bool(self.table["estimate"].isna().all())

    def of(self, exposure: str, model: str = "single", adjustment_set: str | None = None) -> pd.Series:
        """Give the row of one exposure.

        Parameters
        ----------
        exposure : str
            Its name.
        model : {"single", "joint"}, optional
            Which model.
        adjustment_set : str, optional
            Which set of adjusters; the main one by default.

        Returns
        -------
        pandas.Series
            The row.

        Raises
        ------
        ParameterError
            If there is no such row.
        """
        table = self.within(adjustment_set or self.adjustment_sets[0]).table
        rows = table[(table["exposure"] == exposure) & (table["model"] == model)]
        if len(rows) != 1:
            known = ", ".join(self.table["exposure"].unique())
            raise ParameterError(f"{exposure!r} ({model}) was not screened", known)
        return rows.iloc[0]

    def estimates(self) -> list[Estimate]:
        """Give every ratio as a result to record.

        Returns
        -------
        list of Estimate
            Named by measure, design and model, one stratum for each exposure; models that were
            refused are left out.
        """
        design = self.design.replace("-", "_")
        rows = self.table[self.table["reason"] == ""]
        return [self._estimate(f"{self.measure.lower()}_{design}_{row['model']}", row) for _, row in rows.iterrows()]

    def standard_errors(self) -> pd.Series:
        """Give the standard error of each log ratio.

        Returns
        -------
        pandas.Series
            In the order of the table; missing where there is no ratio.
        """
        from scipy.stats import t

        table = self.table
        quantile = t.isf((1 - float(self.settings["level"])) / 2, table["df"])
        return (np.log(table["ci_high"]) - np.log(table["ci_low"])) / (2 * quantile)

    def e_values(self, *, common: bool = False) -> pd.DataFrame:
        """Give the E-value of each ratio: the confounding that would explain it away.

        Parameters
        ----------
        common : bool, optional
            Whether the outcome is common in the source population; a rare disease is not, however
            many of the persons of a case-control study are cases.

        Returns
        -------
        pandas.DataFrame
            `adjustment_set`, `exposure`, `model`, `e_value` and `e_value_limit`; see :func:`epi.stats.e_value`.
        """
        from epi.stats.evalues import e_value

        found = [
            e_value(row["estimate"], row["ci_low"], row["ci_high"], measure=self.measure, common=common)
            if row["reason"] == ""
            else None
            for row in self.table.to_dict("records")
        ]
        return pd.DataFrame(
            {
                "adjustment_set": self.table["adjustment_set"],
                "exposure": self.table["exposure"],
                "model": self.table["model"],
                "e_value": [np.nan if one is None else one.estimate for one in found],
                "e_value_limit": [np.nan if one is None else one.limit for one in found],
            }
        )

    def strongest(self) -> dict[str, Any]:
        """Give the association with the smallest p-value, one exposure at a time, ready for ``epi.record``.

        Ratios that rest on too few effective clusters are left out.

        Returns
        -------
        dict
            Keywords of ``epi.record``; the value is ``not estimable``, with the reasons in the
            settings, when no ratio is left.
        """
        main = self.within(self.adjustment_sets[0]).table
        single = main[main["model"] == "single"]
        rows = single[(single["reason"] == "") & (single["warning"] == "")]
        if rows.empty:
            return {
                "value": "not estimable",
                "unit": "",
                "n": None,
                "settings": {
                    "reasons": {
                        str(row["exposure"]): str(row["reason"] or row["warning"]) for _, row in single.iterrows()
                    },
                    "adjust": list(self.settings["adjust"]),
                    "model": str(self.settings["model"]),
                    "label_en": "Clearest association",
                    "label_fr": "Association la plus nette",
                },
            }
        p, q = self.tests
        row = rows.sort_values([p, "p", "exposure"]).iloc[0]
        tests = self.n_tests["single"]
        found = self._estimate("strongest_association", row)
        return {
            "value": found.estimate,
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
            "unit": self.measure,
            "n": found.n,
            "settings": {
                **found.settings,
                "exposure": str(row["exposure"]),
                "label_en": (
                    f"Clearest of {tests} associations (q {_q_words(row[q], 'en')}): "
                    f"{row['label_en']}, {row['scale_en']}"
                ),
                "label_fr": (
                    f"Plus nette de {tests} associations (q {_q_words(row[q], 'fr')}) : "
                    f"{row['label_fr']}, {row['scale_fr']}"
                ),
            },
        }

    def _estimate(self, name: str, row: pd.Series) -> Estimate:
        settings = {
            "step": float(row["unit_size"]),
            "p": float(row["p"]),
            "q": float(row["q"]),
            "q_by": float(row["q_by"]),
            "clusters": None if pd.isna(row["clusters"]) else int(row["clusters"]),
            "df": round(float(row["df"]), 2) if math.isfinite(row["df"]) else None,
            "adjust": list(self.settings["adjustment_sets"][row["adjustment_set"]]),
            "model": str(self.settings["model"]),
        }
        settings |= {name: float(row[name]) if math.isfinite(row[name]) else None for name in SPATIAL if name in row}
        if row["warning"]:
            settings["warning"] = str(row["warning"])
        return Estimate(
            name,
            float(row["estimate"]),
            float(row["ci_low"]),
            float(row["ci_high"]),
            unit=self.measure,
            n=int(row["n_cases"]),
            stratum={
                "exposure": str(row["exposure"]),
                **({"adjustment_set": str(row["adjustment_set"])} if len(self.adjustment_sets) > 1 else {}),
            },
            settings=settings,
        )

    def note(self, lang: Lang = "en") -> str:
        """Say what was done, with the number of tests.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            One or two sentences.
        """
        from epi.association.screen_note import describe_screen

        return describe_screen(self, lang)

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of labels.

        Returns
        -------
        Release
            One row a test; persons are protected, an estimate falls with its cases.
        """
        from epi.association.screen_note import release_screen

        return release_screen(self, lang)

    def chart_forest(
        self, model: str = "single", *, lang: Lang = "en", sort: bool = True, adjustment_set: str | None = None
    ) -> Chart:
        """Draw the ratios with their intervals, and their numbers at the right.

        Parameters
        ----------
        model : {"single", "joint"}, optional
            Which model.
        lang : {"fr", "en"}, optional
            Language of the picture.
        sort : bool, optional
            From the largest ratio to the smallest; else in the order of the table.
        adjustment_set : str, optional
            Which set of adjusters; the main one by default.

        Returns
        -------
        Chart
            The forest plot.
        """
        from epi.association.forest import draw_forest

        return draw_forest(self.within(adjustment_set or self.adjustment_sets[0]), model, lang, sort)

    def chart_volcano(
        self, model: str = "single", *, lang: Lang = "en", q: float = 0.05, adjustment_set: str | None = None
    ) -> Chart:
        """Draw the ratios against their p-values.

        Parameters
        ----------
        model : {"single", "joint"}, optional
            Which model.
        lang : {"fr", "en"}, optional
            Language of the picture.
        q : float, optional
            Exposures with a q-value up to this are named.
        adjustment_set : str, optional
            Which set of adjusters; the main one by default.

        Returns
        -------
        Chart
            The volcano plot.
        """
        from epi.association.charts import draw_volcano

        return draw_volcano(self.within(adjustment_set or self.adjustment_sets[0]), model, lang, q)

    def __str__(self) -> str:
        lines = [self.note()]
        for row in self.table.to_dict("records"):
            told = f"refused: {row['reason']}"
            if not row["reason"]:
                ratio = format_ratio(row["estimate"], row["ci_low"], row["ci_high"])
                told = f"{self.measure} {ratio}, q {row[self.tests[1]]:.3g}"
                told += f" ({row['warning']})" if row["warning"] else ""
            which = f"{row['adjustment_set']}, " if len(self.adjustment_sets) > 1 else ""
            lines.append(f"{row['label_en']} ({which}{row['model']}, {row['scale_en']}): {told}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        import html

        shown = self.release().table
        limits = [name for name in SPATIAL if not name.startswith(("p_", "q_"))]
        formats = dict.fromkeys(("estimate", "ci_low", "ci_high", self.measure, *limits), "{:.2f}".format)
        formats |= dict.fromkeys(("p", "q", "q_by", "unit_size", *self.tests, "p_family"), "{:.2g}".format)
        body = shown.rename(columns={"estimate": self.measure}).to_html(
            index=False, max_rows=60, na_rep="–", formatters=formats
        )
        return f"<p>{html.escape(self.note())}</p>{body}"
