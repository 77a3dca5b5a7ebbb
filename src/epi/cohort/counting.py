"""The counting rules of the national report: cases by rare disorder.

Source: Jannot et al., Orphanet J Rare Dis 2023, doi 10.1186/s13023-023-02725-2. Distinct patients
whatever their vital status; fetal files and residents of other countries out; patients without an
ORPHA code apart; groups and diseases that are not rare in Europe out; subtypes counted in their
disorder; a patient with several disorders once in each, once in totals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from epi.codes import UNDETERMINED, OrphaNomenclature, open_nomenclature
from epi.cohort.extract import read_coded_patients
from epi.cohort.wording import STATUSES, choose
from epi.results import Counted, Release

if TYPE_CHECKING:
    from epi.workspace import Workspace

CODED = frozenset(STATUSES) - {"carrier", "refuted"}


@dataclass(frozen=True)
class NationalFlow:
    """From the patients of the base to those with a rare disorder.

    Parameters
    ----------
    table : pandas.DataFrame
        ``step, label, patients``: each step is included in the one before.
    apart : pandas.DataFrame
        ``reason, patients``: those who leave at each step.
    by_disorder : pandas.DataFrame
        ``orpha_code, label_en, label_fr, patients``, one row for each disorder met.
    settings : dict
        Statuses counted, nomenclature, opposition rule.
    """

    table: pd.DataFrame
    apart: pd.DataFrame
    by_disorder: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def disorders(self) -> int:
        """Number of disorders with at least one patient."""
        return len(self.by_disorder)

    def release(self) -> Release:
        """Say what would be published: the flow.

        Returns
        -------
        Release
            ``step, label, patients``.
        """
        return Release(
            self.table,
            counts=(Counted("patients", nested=True),),
            title="Patients of the national report",
            note=self.settings["note"],
            not_counts=("step",),
        )

    def release_by_disorder(self) -> Release:
        """Say what would be published: patients of each disorder.

        Returns
        -------
        Release
            Its rows do not add up: a patient may have several disorders.
        """
        return Release(
            self.by_disorder,
            counts=(Counted("patients"),),
            title="Patients by rare disorder",
            note=self.settings["note"],
            not_counts=("orpha_code",),
        )

    def _repr_html_(self) -> str:
        shown = self.table.assign(patients=self.table["patients"].map("{:,}".format))
        apart = self.apart.assign(patients=self.apart["patients"].map("{:,}".format))
        return f"<p>{self.settings['note']}</p>" + shown.to_html(index=False) + apart.to_html(index=False)


def national_flow(
    workspace: Workspace,
    status: str | Iterable[str] = CODED,
    nomenclature: OrphaNomenclature | None = None,
) -> NationalFlow:
    """Count patients as the national report does.

    Parameters
    ----------
    workspace : Workspace
        The data; opposed patients are not in it.
    status : str or iterable of str, optional
        Statuses of the diagnoses counted; all but carrier and refuted by default.
    nomenclature : OrphaNomenclature, optional
        The package's own by default.

    Returns
    -------
    NationalFlow
        The flow, and patients by disorder.
    """
    reference = nomenclature or open_nomenclature()
    statuses = choose(status, STATUSES, "status")
    counts, coded = read_coded_patients(workspace, sorted(statuses))
    codes = sorted(coded["orpha_code"].unique().tolist())
    disorders = {code: _disorders(reference, code) for code in codes}
    # ORPHA:616874 says that no diagnosis was found: such patients have no code of a disease.
    named = coded[coded["orpha_code"] != UNDETERMINED]
    with_code = int(named["patient_id"].nunique())
    undetermined = int(coded["patient_id"].nunique()) - with_code
    exploded = named.assign(disorder=named["orpha_code"].map(disorders)).explode("disorder")
    counted = exploded.dropna(subset="disorder").drop_duplicates(["patient_id", "disorder"])
    rare = int(counted["patient_id"].nunique())
    table = pd.DataFrame(
        [
            (0, "patients of the base, fetal files and residents of other countries left out", counts["eligible"]),
            (1, "with an ORPHA code", with_code),
            (2, "with a rare disorder, subtypes counted in their disorder", rare),
        ],
        columns=["step", "label", "patients"],
    )
    apart = pd.DataFrame(
        [
            ("fetal file", counts["fetuses"]),
            ("resident of another country", counts["foreign"]),
            ("without a code of a disease", counts["eligible"] - with_code),
            (f"  of whom coded ORPHA:{UNDETERMINED} only (no diagnosis after full investigation)", undetermined),
            ("only codes of groups, of diseases not rare in Europe, or out of use", with_code - rare),
        ],
        columns=["reason", "patients"],
    )
    sizes = counted.groupby("disorder")["patient_id"].nunique().sort_index()
    by_disorder = pd.DataFrame({"orpha_code": sizes.index.astype("int64"), "patients": sizes.to_numpy(dtype="int64")})
    by_disorder.insert(1, "label_en", [reference.label(code, "en") for code in by_disorder["orpha_code"].tolist()])
    by_disorder.insert(2, "label_fr", [reference.label(code, "fr") for code in by_disorder["orpha_code"].tolist()])
    words = ", ".join(name for name in STATUSES if name in statuses)
    banner = "SYNTHETIC DATA. " if workspace.synthetic else ""
    settings = {
        "statuses": words,
        "nomenclature": reference.version,
        "opposition_rule": workspace.opposition.rule,
        "note": f"{banner}Diagnoses of status {words}; {reference.version}. {workspace.opposition.sentence()}",
    }
    return NationalFlow(table, apart, by_disorder, settings)


def _disorders(reference: OrphaNomenclature, code: int) -> list[int] | None:
    """Give the disorders a code is counted in; none for a group, a common disease or a code out of use."""
    if code not in reference:
        return None
    found = [disorder for disorder in reference.aggregate(code) if reference.status(disorder) == "active"]
    return found or None
