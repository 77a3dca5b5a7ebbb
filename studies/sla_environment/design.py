"""Who is a case and who is a control: the study's definitions, in one place.

The notebooks call these and hold no logic of their own. Every filter writes its row of attrition.
"""

from __future__ import annotations

from collections.abc import Sequence

from epi.association import read_dag
from epi.codes import UNDETERMINED, Code, CodeList, open_code_list, open_nomenclature
from epi.cohort import Cohort
from epi.errors import ParameterError
from epi.workspace import Workspace

MOTOR_NEURON_GROUP = 98503
"""ORPHA code of the group of motor neuron diseases: none of them may be a control."""

SUSPECTED = {"confirmed", "probable", "ongoing", "undetermined", "carrier"}
"""Statuses under which a motor neuron disease bars a patient from the controls: all but refuted."""


def select_cases(
    workspace: Workspace,
    *,
    start: str,
    end: str,
    case_definition: str = "als",
    statuses: Sequence[str] = ("confirmed", "probable"),
    drop_familial: bool = False,
    minimum_age: int = 18,
    minimal_population: int = 0,
) -> Cohort:
    """Define incident cases: first diagnosis within the period, adults living in France.

    Parameters
    ----------
    workspace : Workspace
        The data.
    start, end : str
        First and last day of diagnosis.
    case_definition : {"als", "als_and_related"}
        Code list.
    statuses : sequence of str
        Diagnosis statuses that make a case.
    drop_familial : bool
        Leave out cases recorded as familial.
    minimum_age : int
        Lowest age at diagnosis, completed years.
    minimal_population : int
        Smallest commune of residence kept.

    Returns
    -------
    Cohort
        The cases.
    """
    codes = open_code_list(case_definition)
    cases = (
        workspace.cohort("Cases")
        .diagnosed_with(codes, descendants=True, status=set(statuses))
        .first_diagnosed_between(start, end)
        .aged(at_least=minimum_age)
    )
    if drop_familial:
        cases = cases.without_familial_forms()
    return _placed(cases, minimal_population).index_on("diagnosis")


CONTROL_GROUPS: dict[str, str] = {
    "comparable_networks": "another rare disease, followed by comparable networks",
    "monogenic_neurological": "a monogenic neurological disease of adults",
    "monogenic_other": "a monogenic disease followed by other networks",
}
"""The three groups of controls. The last two have a genetic cause: no environment can have made them, so that they
share the network's blind spots and nothing else; against them an association cannot be a cause that controls share."""

GENETIC_LISTS = {"monogenic_neurological": "controls_neurological", "monogenic_other": "controls_other_networks"}


def select_controls(
    workspace: Workspace,
    *,
    start: str,
    end: str,
    control_group: str = "comparable_networks",
    control_networks: Sequence[str] = ("FILNEMUS", "BRAIN-TEAM"),
    minimum_age: int = 18,
    minimal_population: int = 0,
) -> Cohort:
    """Define controls: adults with another rare disease, who entered the base in the same period.

    Entry is the first inclusion in any site of the base; the networks are those that follow the patient,
    at entry or later.

    Parameters
    ----------
    workspace : Workspace
        The data.
    start, end : str
        First and last day of inclusion.
    control_group : {"comparable_networks", "monogenic_neurological", "monogenic_other"}
        Which controls; see `CONTROL_GROUPS`.
    control_networks : sequence of str
        Networks (*filières*) that follow the comparable ones; the other groups are defined by disease.
    minimum_age : int
        Lowest age at inclusion, completed years.
    minimal_population : int
        Smallest commune of residence kept.

    Returns
    -------
    Cohort
        The controls.

    Raises
    ------
    ParameterError
        If there is no such group.
    """
    if control_group not in CONTROL_GROUPS:
        raise ParameterError(f"control_group is {control_group!r}", ", ".join(CONTROL_GROUPS))
    genetic = GENETIC_LISTS.get(control_group)
    diseases = open_code_list(genetic) if genetic else any_rare_disease()
    controls = (
        workspace.cohort("Controls")
        .diagnosed_with(diseases, descendants=bool(genetic), status={"confirmed", "probable"})
        .first_included_between(start, end)
    )
    if not genetic:
        controls = controls.at_sites(fsmr=tuple(control_networks))
    related = open_code_list("als_and_related")
    controls = controls.aged(at_least=minimum_age).without_diagnosis(
        [MOTOR_NEURON_GROUP, *related.orpha_codes], descendants=True, status=SUSPECTED
    )
    return _placed(controls, minimal_population).index_on("first_inclusion")


def any_rare_disease() -> CodeList:
    """List every rare disease of the nomenclature: disorders and subtypes, no group, not the undiagnosed.

    Returns
    -------
    CodeList
        The codes.
    """
    orpha = open_nomenclature()
    table = orpha.table()
    diseases = table[table["level"].isin(["disorder", "subtype"]) & (table["status"] == "active")]
    codes = sorted(int(code) for code in diseases["orpha_code"] if int(code) != UNDETERMINED)
    return CodeList(
        name="any_rare_disease",
        title="Any rare disease",
        version=orpha.version,
        owner="this study",
        source="every active disorder and subtype of the nomenclature",
        system="ORPHA",
        date="2025-12-09",
        codes=tuple(Code(str(code), orpha.label(code, "en"), orpha.label(code, "fr"), "") for code in codes),
    )


def _placed(cohort: Cohort, minimal_population: int) -> Cohort:
    # Models adjust for sex: who has none recorded leaves here, where small steps are taken together, and not between
    # a table of all and a model of fewer, whose difference would count them.
    placed = cohort.of_sex(("F", "M")).residing_in("France")
    return placed.in_communes_of(minimal_population) if minimal_population else placed


WINDOW_YEARS = 5
"""Length of the window of exposure."""


def exposure_window(lag_years: int) -> tuple[str, str] | None:
    """Give the window of exposure: five years that end some years before the index date.

    Parameters
    ----------
    lag_years : int
        Years between the end of the window and the index date; 0 for the registers as they are, each of its own
        year.

    Returns
    -------
    tuple of str or None
        First day, and first day after, relative to the index date.
    """
    return (f"-{lag_years + WINDOW_YEARS}y", f"-{lag_years}y") if lag_years else None


CAUSES = read_dag(
    [
        "density -> exposure -> als -> recorded",
        "density -> centre_distance -> recorded",
        "density -> occupation -> als",
        "density -> deprivation -> exposure",
        "age -> als",
        "sex -> als",
        "age -> recorded",
    ],
    unmeasured=["occupation"],
    labels={
        "density": ("Population density", "Densité de population"),
        "exposure": ("Exposure at residence", "Exposition au domicile"),
        "als": ("ALS", "SLA"),
        "recorded": ("ALS recorded in the base", "SLA vue par le réseau"),
        "centre_distance": ("Distance to the nearest ALS centre", "Distance au centre SLA le plus proche"),
        "occupation": ("Occupation, way of life", "Métier, mode de vie"),
        "deprivation": ("Deprivation", "Défavorisation"),
        "age": ("Age", "Âge"),
        "sex": ("Sex", "Sexe"),
    },
)
"""What the study takes for true. A missing arrow is an assumption too: none goes from deprivation to ALS."""

NODES = {
    "age": "age",
    "sex": "sex",
    "centre_distance_km": "centre_distance",
    "density_km2": "density",
    "fdep_like": "deprivation",
}
"""The node of the graph that each adjuster measures."""


def adjusted_nodes(adjustment: Sequence[str]) -> list[str]:
    """Find the nodes that age, sex and the study's adjusters measure.

    Parameters
    ----------
    adjustment : sequence of str
        Adjusters beside age and sex, such as ``log(density_km2)``.

    Returns
    -------
    list of str
        Nodes of `CAUSES`; an adjuster that the graph does not know is none.
    """
    columns = [word.removesuffix(")").split("(")[-1] for word in adjustment]
    return [NODES[name] for name in ("age", "sex", *columns) if name in NODES]
