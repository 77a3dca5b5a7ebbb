"""One exposure under many specifications, to see whether the answer hangs on a choice.

Lags, control groups, adjustment sets, definitions of a case: each is a defensible choice. Their results
are laid side by side, all of them, in the order given (forest) or in the order of the estimates
(specification curve: Simonsohn, Simmons and Nelson, Nat Hum Behav 2020;4:1208).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from epi.association.screen import Screen
from epi.errors import ParameterError
from epi.results import Counted, Release
from epi.stats.notation import format_ratio

if TYPE_CHECKING:
    from epi.association.sir import Lang
    from epi.plotting import Chart

_ESTIMATES = ("estimate", "ci_low", "ci_high", "p", "df")


@dataclass(frozen=True)
class SpecificationCurve:
    """The ratio of one exposure under several specifications.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each specification, in the order given: `specification`, the columns of choices,
        `estimate`, `ci_low`, `ci_high`, `p`, `df`, `n_cases`, `n_controls`, `reason`, empty unless it was
        refused, and `warning`.
    choices : tuple of str
        Columns that say what differs.
    measure : str
        ``OR`` or ``RR``.
    settings : mapping
        ``exposure``, ``label_en``, ``label_fr``, ``scale_en``, ``scale_fr``, ``level``, ``model``.
    """

    table: pd.DataFrame
    choices: tuple[str, ...]
    measure: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Sum up how much the estimate moves.

        Returns
        -------
        dict
            ``specifications``, ``refused``, ``median``, ``lowest``, ``highest`` (ratios), ``above_1`` and
            ``interval_excludes_1`` (numbers of specifications). They are not independent: this is a
            description, not a test.
        """
        known = self.table[self.table["reason"] == ""]
        return {
            "specifications": len(self.table),
            "refused": len(self.table) - len(known),
            "median": float(known["estimate"].median()),
            "lowest": float(known["estimate"].min()),
            "highest": float(known["estimate"].max()),
            "above_1": int((known["estimate"] > 1).sum()),
            "interval_excludes_1": int(((known["ci_low"] > 1) | (known["ci_high"] < 1)).sum()),
        }

    def note(self, lang: Lang = "en") -> str:
        """Say how much the estimate moves.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            One or two sentences; estimates are in it, which :meth:`release` leaves out.
        """
        told = self.summary()
        ratio = format_ratio(told["median"], told["lowest"], told["highest"], lang=lang)
        label, scale = self.settings[f"label_{lang}"], self.settings[f"scale_{lang}"]
        if lang == "fr":
            return (
                f"{label}, {scale}. {told['specifications']} spécifications, {told['refused']} sans estimation ; "
                f"{self.measure} médian (extrêmes) {ratio} ; intervalle sans 1 : {told['interval_excludes_1']}. "
                "Les spécifications ne sont pas indépendantes."
            )
        return (
            f"{label}, {scale}. {told['specifications']} specifications, {told['refused']} without an estimate; "
            f"median {self.measure} (extremes) {ratio}; interval excludes 1: {told['interval_excludes_1']}. "
            "Specifications are not independent."
        )

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        Release
            One row a specification; persons are protected, an estimate falls with its cases.
        """
        title = {"en": "Estimates by specification", "fr": "Estimations par spécification"}[lang]
        table = self.table.copy()
        if table["n_controls"].isna().all():
            table = table.drop(columns="n_controls")
            counts: tuple[Counted, ...] = (Counted("n_cases", derived=_ESTIMATES),)
        else:
            counts = (
                Counted("n_cases", derived=(*_ESTIMATES, "n_controls")),
                Counted("n_controls", derived=(*_ESTIMATES, "n_cases")),
            )
        whole = tuple(name for name in self.choices if table[name].dtype.kind in "iu")
        # No figure of the estimates stands in the words: the gate may hide the row that it came from.
        words = {
            "en": f"{self.settings['scale_en']}. {len(table)} specifications, not independent of each other.",
            "fr": f"{self.settings['scale_fr']}. {len(table)} spécifications, non indépendantes.",
        }
        colon = " :" if lang == "fr" else ":"
        return Release(
            table, counts, f"{title}{colon} {self.settings[f'label_{lang}']}", words[lang].removeprefix(". "), whole
        )

    def chart_curve(self, *, lang: Lang = "en") -> Chart:
        """Draw the specification curve: estimates in order above, the choices of each below.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            The curve.
        """
        from epi.association.specification_charts import draw_curve

        return draw_curve(self, lang)

    def chart_forest(self, *, lang: Lang = "en") -> Chart:
        """Draw the ratios in the order given: over lags, control groups, periods.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            The forest plot of one exposure.
        """
        from epi.association.specification_charts import draw_variants

        return draw_variants(self, lang)

    def __str__(self) -> str:
        return self.note()

    def _repr_html_(self) -> str:
        import html

        body = self.table.to_html(index=False, na_rep="–", float_format="{:.3g}".format)
        return f"<p>{html.escape(self.note())}</p>{body}"


def specification_curve(
    results: Mapping[str, Screen] | pd.DataFrame,
    exposure: str,
    *,
    choices: Mapping[str, Mapping[str, Any]] | Sequence[str] | None = None,
    model: str = "single",
    measure: str = "OR",
    level: float = 0.95,
    labels: Mapping[str, str] | None = None,
) -> SpecificationCurve:
    """Lay the results of one exposure side by side, one for each specification.

    Parameters
    ----------
    results : mapping of str to Screen, or pandas.DataFrame
        A screen for each specification (preset), in the order wanted; or a frame with one row each and
        `specification`, `estimate`, `ci_low`, `ci_high`, and as far as known `p`, `n_cases`, `n_controls`,
        `reason`.
    exposure : str
        Which exposure; with a frame, its name.
    choices : mapping or sequence of str, optional
        For each specification, the choices made, such as ``{"lag 10": {"lag": "10 years"}}``; by default
        the settings in which the screens differ. With a frame, the columns that hold them.
    model : str, optional
        Which model of the screens.
    measure : str, optional
        What a frame's estimates are; screens know.
    level : float, optional
        Confidence level of a frame's intervals; screens know.
    labels : mapping, optional
        ``label_en``, ``label_fr``, ``scale_en``, ``scale_fr`` in place of the screens' own.

    Returns
    -------
    SpecificationCurve
        Every specification, refused ones with their reason; ratios of screens are for the step of the first.

    Raises
    ------
    ParameterError
        If there is no result, screens differ in what they estimate, or columns are lacking.

    Examples
    --------
    >>> frame = pd.DataFrame({"specification": ["main", "lag 5"], "lag": ["0", "5"], "estimate": [1.2, 1.1],
    ...                       "ci_low": [1.0, 0.9], "ci_high": [1.44, 1.34]})
    >>> specification_curve(frame, "pm25", choices=["lag"]).summary()["highest"]
    1.2
    """
    given = dict(labels or {})
    if isinstance(results, pd.DataFrame):
        table, names = _from_frame(results, choices)
        known: dict[str, Any] = {"level": level}
    else:
        if not results:
            raise ParameterError("there is no result", "one screen for each specification")
        wrong = [name for name, one in results.items() if not isinstance(one, Screen)]
        if wrong:
            raise ParameterError(f"{', '.join(map(repr, wrong))} are not screens", "what screen_exposures gives")
        kinds = {(one.measure, float(one.settings["level"])) for one in results.values()}
        if len(kinds) > 1:
            told = " and ".join(f"{kind} at {share:.0%}" for kind, share in sorted(kinds))
            raise ParameterError(f"specifications estimate {told}", "one measure and one level")
        if choices is not None and not isinstance(choices, Mapping):
            raise ParameterError("choices are names", "for screens, the choices of each specification")
        ((measure, level),) = kinds
        table, names = _from_screens(results, exposure, model, choices)
        first = next(iter(results.values())).of(exposure, model)
        known = {"level": level, **{key: str(first[key]) for key in ("label_en", "label_fr", "scale_en", "scale_fr")}}
    defaults = {"label_en": exposure, "label_fr": exposure, "scale_en": "", "scale_fr": ""}
    settings = {"exposure": exposure, "model": model, **defaults, **known, **given}
    return SpecificationCurve(table, names, measure, settings)


def _from_frame(
    frame: pd.DataFrame, choices: Mapping[str, Mapping[str, Any]] | Sequence[str] | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    if isinstance(choices, Mapping):
        raise ParameterError("choices are a mapping beside a frame", "names of the frame's columns")
    names = tuple(choices or ())
    needed = ["specification", *names, "estimate", "ci_low", "ci_high"]
    lacking = [name for name in needed if name not in frame.columns]
    if lacking:
        raise ParameterError(f"the frame has no column {', '.join(map(repr, lacking))}", ", ".join(needed))
    if frame.empty or frame["specification"].duplicated().any():
        raise ParameterError("the frame is empty or a specification is there twice", "one row a specification")
    table = frame.reset_index(drop=True)
    missing: dict[str, Any] = {
        "p": float("nan"),
        "df": float("inf"),
        "n_cases": pd.NA,
        "n_controls": pd.NA,
        "warning": "",
    }
    table = table.assign(**{name: value for name, value in missing.items() if name not in table})
    if "reason" not in table:
        table["reason"] = table["estimate"].isna().map({True: "not estimated", False: ""})
    columns = [*needed, "p", "df", "n_cases", "n_controls", "reason", "warning"]
    return table[columns].astype({"n_cases": "Int64", "n_controls": "Int64"}), names


def _from_screens(
    results: Mapping[str, Screen], exposure: str, model: str, choices: Mapping[str, Mapping[str, Any]] | None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    if choices is None:
        made = {name: _described(one) for name, one in results.items()}
        names = tuple(key for key in next(iter(made.values())) if len({str(one.get(key)) for one in made.values()}) > 1)
    else:
        lacking = [name for name in results if name not in choices]
        if lacking:
            raise ParameterError(f"choices lack {', '.join(map(repr, lacking))}", "the choices of each specification")
        made = {name: {str(key): str(value) for key, value in choices[name].items()} for name in results}
        names = tuple(dict.fromkeys(key for one in made.values() for key in one))
    rows = []
    step = float(next(iter(results.values())).of(exposure, model)["unit_size"])
    for name, one in results.items():
        row = _at_step(one.of(exposure, model), step)
        rows.append(
            {"specification": name, **{key: made[name].get(key, "") for key in names}}
            | {key: row[key] for key in (*_ESTIMATES, "n_cases", "n_controls", "reason", "warning")}
        )
    return pd.DataFrame(rows).astype({"n_cases": "Int64", "n_controls": "Int64"}), names


def _at_step(row: Any, step: float) -> Any:
    """Bring a ratio to the step of the first specification: quartiles of one preset are not those of another."""
    own = float(row["unit_size"])
    if row["reason"] or own == step:
        return row
    if not step > 0:
        raise ParameterError(
            "the first specification has no step, those after it have", "an exposure that varies in the first one"
        )
    return {**row, **{name: float(row[name]) ** (step / own) for name in ("estimate", "ci_low", "ci_high")}}


def _described(screen: Screen) -> dict[str, str]:
    shown = ("design", "model", "adjust", "cluster", "scale", "age")
    made = {key: screen.settings.get(key) for key in shown}
    return {key: ", ".join(value) if isinstance(value, list) else str(value) for key, value in made.items()}
