"""Enrichment: each member gets the exposures of the commune where he or she lives.

One row in, one row out, in the same order. A value that is not there stays missing, and the
coverage says why; nothing is filled with zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from epi.errors import DataError, ParameterError
from epi.exposure.catalogue import Catalogue, VariableInfo, open_catalogue, read_info
from epi.exposure.coverage import OUTCOMES, Coverage
from epi.exposure.derived import DERIVED
from epi.geography import belongs_to, check_codes, to_current

if TYPE_CHECKING:
    from epi.cohort import Cohort
    from epi.workspace import Workspace


@dataclass(frozen=True)
class Enriched:
    """Members with their exposures at residence.

    Parameters
    ----------
    table : pandas.DataFrame
        The members' columns, then one column for each variable; rows as they were.
    coverage : Coverage
        Who has a value, who has none and why.
    catalogue : Catalogue
        The variables added, with provenance.
    cohort : Cohort or None
        Where members come from.
    settings : mapping
        What determined the join.
    """

    table: pd.DataFrame
    coverage: Coverage
    catalogue: Catalogue
    cohort: Cohort | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of members."""
        return len(self.table)

    @property
    def variables(self) -> dict[str, dict[str, Any]]:
        """Labels, unit and provenance of each variable added."""
        return self.catalogue.labels

    @property
    def members(self) -> pd.DataFrame:
        """The table, under the name it has in a cohort."""
        return self.table

    @property
    def period(self) -> Any:
        """The cohort's period, when there is a cohort."""
        return getattr(self.cohort, "period", None)

    def _repr_html_(self) -> str:
        told = "; ".join(info.provenance() for info in self.catalogue.variables)
        import html

        return f"<p>{self.n:,} members. {html.escape(told)}</p>" + self.coverage._repr_html_()


def enrich(
    members: Cohort | pd.DataFrame,
    variables: Sequence[str] | None = None,
    *,
    workspace: Workspace | None = None,
    reference: pd.DataFrame | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
) -> Enriched:
    """Give members the exposures of their commune of residence.

    Residence is the members' ``insee_code`` (commune of today); where only
    ``residence_commune`` is there, as recorded, it is followed to today's commune first.

    Parameters
    ----------
    members : Cohort or pandas.DataFrame
        A cohort, or rows with ``insee_code`` or ``residence_commune``.
    variables : sequence of str, optional
        Names from the catalogue, in the order wanted; all by default.
    workspace : Workspace, optional
        Where exposures are; the cohort's own by default.
    reference : pandas.DataFrame, optional
        Exposures in place of the workspace's: ``insee_code`` and one column for each variable.
    about : mapping, optional
        Metadata of `reference`, needed with it.

    Returns
    -------
    Enriched
        The table, its coverage and provenance.

    Raises
    ------
    DataError
        If the exposures have a commune twice, or variables that are not numbers.
    GeographyError
        If codes are numbers or have lost their leading zero.
    ParameterError
        If a variable is unknown, or a column of the same name is there already.

    Examples
    --------
    >>> people = pd.DataFrame({"patient_id": ["b", "a"], "insee_code": ["38185", None]})
    >>> file = pd.DataFrame({"insee_code": ["38185"], "pm25_ugm3": [11.2]})
    >>> words = dict.fromkeys(("label_en", "label_fr", "unit", "source", "producer", "vintage", "licence"), "PM2.5")
    >>> about = {"pm25_ugm3": {**words, "support": "commune", "origin": "synthetic"}}
    >>> enriched = enrich(people, ["pm25_ugm3"], reference=file, about=about)
    >>> enriched.table["pm25_ugm3"].tolist(), enriched.coverage.informed("pm25_ugm3")
    ([11.2, nan], 1)
    """
    frame, cohort = _members(members)
    workspace = workspace or getattr(members, "workspace", None)
    reference, catalogue = _source(workspace, reference, about)
    chosen = catalogue.select(variables)
    taken = [name for name in chosen if name in frame.columns]
    if taken:
        raise ParameterError(
            f"the members already have {', '.join(taken)}", "names that are free", "rename or drop these columns first"
        )
    codes, why = _residence(frame)
    overseas = belongs_to(codes, "overseas France").fillna(False).to_numpy(dtype=bool)
    added: dict[str, pd.Series] = {}
    rows = []
    for name, info in chosen.items():
        values, listed = _values(codes, name, info, reference, workspace)
        outcome = why.copy()
        placed = why == "informed"
        lost = placed & values.isna().to_numpy()
        outcome[lost] = np.where(
            ~listed[lost], "not_in_file", np.where(overseas[lost], "missing_overseas", "missing_value")
        )
        counts = pd.Series(outcome).value_counts()
        for word in OUTCOMES:
            persons = int(counts.get(word, 0))
            rows.append({"variable": name, "outcome": word, "persons": persons, "share": persons / max(len(frame), 1)})
        added[name] = values
    table = pd.concat([frame, pd.DataFrame(added, index=frame.index)], axis=1)
    labels = {name: {"en": info.label_en, "fr": info.label_fr} for name, info in chosen.items()}
    coverage = Coverage(pd.DataFrame(rows, columns=["variable", "outcome", "persons", "share"]), len(frame), labels)
    settings = {"variables": list(chosen), "residence": "insee_code" if "insee_code" in frame else "residence_commune"}
    return Enriched(table, coverage, chosen, cohort, settings)


def _members(members: Any) -> tuple[pd.DataFrame, Any]:
    if isinstance(members, pd.DataFrame):
        return members, None
    if not hasattr(type(members), "members"):
        raise ParameterError(f"members are a {type(members).__name__}", "a cohort or a frame of members")
    return members.members, members


def _source(
    workspace: Workspace | None, reference: pd.DataFrame | None, about: Mapping[str, Mapping[str, Any]] | None
) -> tuple[pd.DataFrame, Catalogue]:
    if reference is None:
        if workspace is None:
            raise ParameterError(
                "nothing says where exposures are", "a cohort, workspace=, or reference= with about=", "workspace=ws"
            )
        reference, catalogue = workspace.reference("exposures"), open_catalogue(workspace)
    else:
        if about is None:
            raise ParameterError("reference= has no metadata", "about= with one entry for each variable")
        names = [str(name) for name in reference.columns if name in about]
        catalogue = Catalogue(tuple(read_info(name, about[name]) for name in names))
    if "insee_code" not in reference.columns:
        raise DataError("the exposures have no column 'insee_code'", "one row a commune, keyed by insee_code")
    check_codes(reference["insee_code"])
    twice = int(reference["insee_code"].duplicated().sum())
    if twice:
        raise DataError(f"{twice} commune(s) are there twice in the exposures", "one row a commune")
    current = to_current(reference["insee_code"])["status"]
    old = int((current != "current").sum())
    if old:
        raise DataError(
            f"{old} of {len(reference)} commune(s) of the exposures are not communes of today",
            "a file in today's geography",
            "carry it with geography.to_current and say how values are brought together; it is not joined as it is",
        )
    wrong = [name for name in catalogue if name in reference.columns and reference[name].dtype.kind not in "fiub"]
    if wrong:
        raise DataError(f"exposures {', '.join(wrong)} are not numbers", "numbers, missing where unknown")
    return reference, catalogue


_BY_STATUS = {
    "missing": "no_residence",
    "abroad": "abroad",
    "overseas_collectivity": "abroad",
}


def _residence(frame: pd.DataFrame) -> tuple[pd.Series, np.ndarray]:
    """Give each member's commune of today, and for those without one the reason."""
    recorded = frame["residence_commune"] if "residence_commune" in frame.columns else None
    if "insee_code" in frame.columns:
        given = frame["insee_code"]
        passed = to_current(given)
        if recorded is None:
            recorded = given
    elif recorded is not None:
        passed = to_current(recorded)
    else:
        raise ParameterError("the members have no residence", "a column insee_code or residence_commune")
    codes = passed["insee_code"]
    status = to_current(recorded, on_fault="mark")["status"].astype(object)
    why = status.map(_BY_STATUS).fillna("not_placed").to_numpy(dtype=object)
    why[codes.notna().to_numpy()] = "informed"
    return codes.astype(object).where(codes.notna(), None), why


def _values(
    codes: pd.Series, name: str, info: VariableInfo, reference: pd.DataFrame, workspace: Workspace | None
) -> tuple[pd.Series, np.ndarray]:
    if name in reference.columns:
        by_commune = reference.set_index("insee_code")[name].astype(float)
        return codes.map(by_commune).astype(float), codes.isin(by_commune.index).to_numpy()
    values = DERIVED[info.name](codes, workspace)
    return values, codes.notna().to_numpy()
