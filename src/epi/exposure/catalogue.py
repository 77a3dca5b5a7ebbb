"""The catalogue of exposure variables: searchable in French and English, with provenance."""

from __future__ import annotations

import difflib
import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from epi.errors import DataError, ParameterError
from epi.exposure.periods import stated_years
from epi.exposure.themes import THEMES, find_matches, theme_of

if TYPE_CHECKING:
    from epi.results import Release
    from epi.workspace import Workspace

Origin = Literal["open data", "synthetic"]


@dataclass(frozen=True)
class VariableInfo:
    """What an exposure variable is and where it comes from.

    Parameters
    ----------
    name : str
        Column name, with the unit as suffix.
    label_en, label_fr : str
        What is printed.
    unit : str
        Unit of its values; empty for a score.
    source, producer, vintage, licence : str
        File, who made it, of which years, on which terms.
    support : str
        Where it is measured: ``commune``, ``bassin_de_vie``...
    origin : {"open data", "synthetic"}
        Real register, or values invented for a synthetic world.
    direction_note : str
        What a higher value means.
    derived : bool
        Computed at residence rather than read.
    theme : str
        A key of :data:`~epi.exposure.themes.THEMES`; found from the name and labels when not given.
    panel_years : str
        Years of the yearly values, such as ``2000-2024``; empty where there is a single vintage.
    missing_areas : str
        Where the register says nothing.
    method : str
        How the value of an area was made, when it is not simply read.
    uncertainty : str
        What is known of its error.
    distance_column : str
        Column of the register that gives the distance of the monitor, in metres.
    """

    name: str
    label_en: str
    label_fr: str
    unit: str
    source: str
    producer: str
    vintage: str
    licence: str
    support: str
    origin: str
    direction_note: str = ""
    derived: bool = False
    theme: str = ""
    panel_years: str = ""
    missing_areas: str = ""
    method: str = ""
    uncertainty: str = ""
    distance_column: str = ""

    @property
    def period(self) -> tuple[int, int] | None:
        """First and last year that values are of; None where the register states none."""
        return stated_years(self.panel_years or self.vintage)

    @property
    def how(self) -> str:
        """How a member got the value."""
        if self.method:
            return self.method
        if self.derived:
            return "computed from the commune's centroid or area"
        place = {"commune": "commune", "bassin_de_vie": "bassin de vie of the commune"}.get(self.support, self.support)
        return f"value of the {place}"

    def label(self, lang: Literal["fr", "en"] = "en") -> str:
        """Give the label in one language.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            The language.

        Returns
        -------
        str
            The label.
        """
        return self.label_fr if lang == "fr" else self.label_en

    def provenance(self) -> str:
        """Say in a sentence where values come from.

        Returns
        -------
        str
            Synthetic values are said to be so first.
        """
        start = "SYNTHETIC values in the form of: " if self.origin == "synthetic" else ""
        return f"{start}{self.source}; {self.producer}; vintage {self.vintage}; licence: {self.licence}."

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(key)}</th><td>{html.escape(str(value))}</td></tr>"
            for key, value in asdict(self).items()
            if value not in ("", None)
        )
        return f"<table>{rows}</table>"


_REQUIRED = ("label_en", "label_fr", "unit", "source", "producer", "vintage", "licence", "support", "origin")
_OPTIONAL = (
    "direction_note", "theme", "panel_years", "missing_areas", "method", "uncertainty", "distance_column"
)  # fmt: skip


def read_info(name: str, about: Mapping[str, Any]) -> VariableInfo:
    """Read the metadata of one variable.

    Parameters
    ----------
    name : str
        Column name.
    about : mapping
        Its fields.

    Returns
    -------
    VariableInfo
        The typed form.

    Raises
    ------
    DataError
        If fields are missing or the origin is neither of the two known.

    Examples
    --------
    >>> read_info("x", {"label_en": "X"})
    Traceback (most recent call last):
    ...
    epi.errors.DataError: the metadata of 'x' lack label_fr, unit, source, producer, ... Expected: ...
    """
    lacking = [field for field in _REQUIRED if field not in about]
    if lacking:
        raise DataError(f"the metadata of {name!r} lack {', '.join(lacking)}", ", ".join(_REQUIRED))
    if about["origin"] not in ("open data", "synthetic"):
        raise DataError(f"the origin of {name!r} is {about['origin']!r}", "'open data' or 'synthetic'")
    known = {field: str(about[field] if about[field] is not None else "") for field in _REQUIRED}
    return VariableInfo(
        name=name,
        label_en=known["label_en"],
        label_fr=known["label_fr"],
        unit=known["unit"],
        source=known["source"],
        producer=known["producer"],
        vintage=known["vintage"],
        licence=known["licence"],
        support=known["support"],
        origin=known["origin"],
        derived=bool(about.get("derived", False)),
        **{field: str(about.get(field) or "") for field in _OPTIONAL},
    )


_PUBLISHED_LABELS = {
    "name": "Name",
    "label_en": "Variable",
    "label_fr": "En français",
    "unit": "Unit",
    "support": "Support",
    "vintage": "Vintage",
    "origin": "Origin",
    "producer": "Producer",
    "licence": "Licence",
}
_PUBLISHED = list(_PUBLISHED_LABELS)


@dataclass(frozen=True)
class Catalogue(Mapping[str, VariableInfo]):
    """Variables that members of a cohort can be given.

    Parameters
    ----------
    variables : tuple of VariableInfo
        Sorted by name.
    """

    variables: tuple[VariableInfo, ...]

    def __getitem__(self, name: str) -> VariableInfo:
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (variable.name for variable in self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each variable; `theme`, `year_first` and `year_last` are worked out where not given."""
        rows = []
        for variable in self.variables:
            period = variable.period
            rows.append(
                asdict(variable)
                | {
                    "theme": theme_of(variable),
                    "year_first": None if period is None else period[0],
                    "year_last": None if period is None else period[1],
                }
            )
        return pd.DataFrame(rows).astype({"year_first": "Int64", "year_last": "Int64"}) if rows else pd.DataFrame()

    @property
    def labels(self) -> dict[str, dict[str, Any]]:
        """Labels, units and provenance by name."""
        return {variable.name: asdict(variable) for variable in self.variables}

    @property
    def synthetic(self) -> bool:
        """Whether any variable has invented values."""
        return any(variable.origin == "synthetic" for variable in self.variables)

    def search(self, text: str = "", *, theme: str | None = None, year: int | None = None) -> pd.DataFrame:
        """Find variables by words of their name, labels, source, producer or theme, in French or English.

        Parameters
        ----------
        text : str, optional
            Words in French or English; case, accents and small words do not matter, and a word finds those
            of the same meaning (``pollution de l'air`` finds PM2.5, ``deprivation`` finds ``défavorisation``).
        theme : str, optional
            Only one theme: a key of :data:`~epi.exposure.THEMES`.
        year : int, optional
            Only variables with values of that year.

        Returns
        -------
        pandas.DataFrame
            Rows of `table`.

        Raises
        ------
        ParameterError
            If there is no such theme.
        """
        if theme is not None and theme not in THEMES:
            raise ParameterError(f"the theme {theme!r} is unknown", ", ".join(THEMES))
        table = self.table
        if table.empty:
            return table
        keep = find_matches(table, text)
        if theme is not None:
            keep &= table["theme"] == theme
        if year is not None:
            keep &= ((table["year_first"] <= year) & (year <= table["year_last"])).fillna(False).astype(bool)
        return table[keep].reset_index(drop=True)

    def describe(self, name: str) -> VariableInfo:
        """Give what is known of a variable.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        VariableInfo
            The variable.

        Raises
        ------
        ParameterError
            If there is none of that name; near ones are proposed.
        """
        return self.select([name]).variables[0]

    def select(self, names: Iterable[str] | None = None) -> Catalogue:
        """Keep some variables, in the order asked for.

        Parameters
        ----------
        names : iterable of str, optional
            Names; all by default.

        Returns
        -------
        Catalogue
            Those variables.

        Raises
        ------
        ParameterError
            If names are unknown or repeated; all faults at once.
        """
        if names is None:
            return self
        wanted = [names] if isinstance(names, str) else list(names)
        faults = [f"{name!r} is asked for twice" for name in sorted({n for n in wanted if wanted.count(n) > 1})]
        for name in wanted:
            if name not in self:
                near = difflib.get_close_matches(str(name), list(self), n=2, cutoff=0.4)
                faults.append(f"{name!r} is unknown" + (f": {' or '.join(near)}?" if near else ""))
        if faults:
            raise ParameterError(
                f"{len(faults)} variable(s) cannot be given" if len(faults) > 1 else faults[0],
                f"among {', '.join(self)}",
                "catalogue.search('word') looks through labels in French and English",
                faults=faults if len(faults) > 1 else (),
            )
        return Catalogue(tuple(self[name] for name in wanted))

    def release(self) -> Release:
        """Say what would be published: what each variable is and where it comes from.

        Returns
        -------
        Release
            One row for each variable; it counts nobody.
        """
        from epi.results import Release

        shown = self.table[_PUBLISHED]
        note = "Synthetic values are invented, with the names and orders of size of the real registers."
        return Release(shown, title="Exposures", note=note if self.synthetic else "", labels=_PUBLISHED_LABELS)

    def _repr_html_(self) -> str:
        table = self.table
        if table.empty:
            return "<p>No variable.</p>"
        shown = table[["name", "label_en", "label_fr", "unit", "support", "vintage", "origin", "producer"]]
        return str(shown.to_html(index=False))


def open_catalogue(workspace: Workspace) -> Catalogue:
    """List the exposure variables of a workspace, read and derived.

    Parameters
    ----------
    workspace : Workspace
        An open workspace with the reference table ``exposures``.

    Returns
    -------
    Catalogue
        Sorted by name.

    Raises
    ------
    DataError
        If a variable of the table has no metadata; all of them are named.
    """
    from epi.exposure.derived import derived_infos

    table = workspace.reference("exposures")
    about = dict(workspace.reference_info("exposures"))
    names = [str(name) for name in table.columns if name != "insee_code"]
    if workspace.has_reference("exposure_panel"):
        panel = workspace.reference("exposure_panel")
        yearly = [str(name) for name in panel.columns if name not in ("insee_code", "year")]
        told = workspace.reference_info("exposure_panel")
        years = f"{panel['year'].min()}-{panel['year'].max()}"
        for name in yearly:
            if name in told or name in about:
                about[name] = {"panel_years": years, **(about.get(name) or told[name])}
        names += [name for name in yearly if name not in names]
    lacking = [name for name in names if name not in about]
    if lacking:
        raise DataError(
            f"{len(lacking)} exposure(s) have no metadata", "an entry for each column in exposures.json", faults=lacking
        )
    infos = {name: read_info(name, about[name]) for name in names}
    infos = {**derived_infos(workspace), **infos}
    return Catalogue(tuple(infos[name] for name in sorted(infos)))
