"""Other choices that could have been made: control groups, lags, adjustment, case definitions; and a control outcome.

Each variant changes one thing of the main analysis, or crosses control group and adjustment, the two choices that
matter most. All of them are shown, whatever they say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from design import CONTROL_GROUPS, exposure_window, select_cases, select_controls

from epi.association import Screen, screen_exposures
from epi.codes import open_code_list
from epi.cohort import Cohort
from epi.workspace import Workspace

LAGS = (0, 5, 10, 15, 20)
"""Years between the window of exposure and the index date; 0 for the registers as they are."""

PERSONAL = ("age", "sex")

ADJUSTMENTS: dict[str, tuple[str, ...]] = {
    "age, sex": (),
    "+ distance": ("centre_distance_km",),
    "+ distance, density": ("centre_distance_km", "log(density_km2)"),
    "+ distance, density, deprivation": ("centre_distance_km", "log(density_km2)", "fdep_like"),
    "+ distance (spline), density": ("spline(centre_distance_km)", "log(density_km2)"),
}
"""Sets of adjusters beside age and sex. Distance to the nearest centre stands for referral, as a line or as a curve."""

FRENCH = {
    "cases": "cas", "controls": "témoins", "lag": "décalage", "adjustment": "ajustement",
    "main": "principale", "confirmed only": "confirmés seuls", "sporadic only": "sporadiques seuls",
    "comparable networks": "filières comparables", "monogenic neurological": "monogéniques neurologiques",
    "monogenic other": "monogéniques autres", "none": "aucun", "age, sex": "âge, sexe", "+ distance": "+ distance",
    "+ distance, density": "+ distance, densité",
    "+ distance, density, deprivation": "+ distance, densité, défavorisation",
    "+ distance (spline), density": "+ distance (spline), densité",
}  # fmt: skip
"""Words of the choices, for figures in French."""


@dataclass(frozen=True)
class Variant:
    """One way to do the analysis.

    Parameters
    ----------
    cases : str
        Which cases: ``main``, ``confirmed only`` or ``sporadic only``.
    controls : str
        A key of `CONTROL_GROUPS`.
    lag_years : int
        Lag of the window of exposure.
    adjustment : tuple of str
        Adjusters beside age and sex.
    """

    cases: str
    controls: str
    lag_years: int
    adjustment: tuple[str, ...]

    @property
    def choices(self) -> dict[str, str]:
        """The choices in words, for the page."""
        named = {terms: name for name, terms in ADJUSTMENTS.items()}
        return {
            "cases": self.cases,
            "controls": self.controls.replace("_", " "),
            "lag": f"{self.lag_years} years" if self.lag_years else "none",
            "adjustment": named.get(self.adjustment, "+ " + ", ".join(self.adjustment)),
        }

    def told(self, lang: str = "en") -> dict[str, str]:
        """Give the choices in words of a language.

        Parameters
        ----------
        lang : {"en", "fr"}
            The language.

        Returns
        -------
        dict of str to str
            What is chosen, by choice.
        """
        if lang != "fr":
            return self.choices
        words = {FRENCH[key]: FRENCH.get(word, word) for key, word in self.choices.items()}
        return words | {FRENCH["lag"]: words[FRENCH["lag"]].replace("years", "ans")}


def list_variants(main: Variant) -> dict[str, Variant]:
    """List the variants: the main analysis first, then one change at a time, then groups by adjustment.

    Parameters
    ----------
    main : Variant
        The main analysis.

    Returns
    -------
    dict of str to Variant
        By a short name, no variant twice.
    """
    found = {"main": main}

    def add(name: str, variant: Variant) -> None:
        if variant not in found.values():
            found[name] = variant

    for group in CONTROL_GROUPS:
        add(group.replace("_", " "), replace(main, controls=group))
    for lag in LAGS:
        add(f"lag {lag}", replace(main, lag_years=lag))
    for name, terms in ADJUSTMENTS.items():
        add(name, replace(main, adjustment=terms))
    for cases in ("confirmed only", "sporadic only"):
        add(cases, replace(main, cases=cases))
    for group in CONTROL_GROUPS:
        for name, terms in ADJUSTMENTS.items():
            add(f"{group.replace('_', ' ')}, {name}", replace(main, controls=group, adjustment=terms))
    return found


def screen_variants(
    workspace: Workspace, variants: Mapping[str, Variant], exposures: Sequence[str], **definition: Any
) -> dict[str, Screen]:
    """Screen the exposures under each variant.

    Parameters
    ----------
    workspace : Workspace
        The data.
    variants : mapping of str to Variant
        What to do.
    exposures : sequence of str
        Variables screened.
    **definition : object
        Arguments of `select_cases` and, for those they share, of `select_controls`.

    Returns
    -------
    dict of str to Screen
        In the order given.
    """
    networks = definition.pop("control_networks")
    shared = {name: definition[name] for name in ("start", "end", "minimum_age", "minimal_population")}
    changed = {"confirmed only": {"statuses": ["confirmed"]}, "sporadic only": {"drop_familial": True}}
    wanted = sorted({*exposures, "centre_distance_km", "density_km2", "fdep_like"})
    groups: dict[str, Cohort] = {}
    enriched: dict[tuple[str, int], Any] = {}

    def given(group: str, lag: int) -> Any:
        # A cohort is read once, however many lags it is looked at with.
        if group not in groups:
            groups[group] = (
                select_controls(workspace, **shared, control_group=group, control_networks=networks)
                if group in CONTROL_GROUPS
                else select_cases(workspace, **{**definition, **changed.get(group, {})})
            )
        if (group, lag) not in enriched:
            enriched[group, lag] = groups[group].enrich(wanted, window=exposure_window(lag))
        return enriched[group, lag]

    return {
        name: screen_exposures(
            given(variant.cases, variant.lag_years),
            given(variant.controls, variant.lag_years),
            exposures=exposures,
            adjust=[*PERSONAL, *variant.adjustment],
            joint=False,
            # As in notebook 5, so that both speak of the same clearest association.
            spatial="distance" if name == "main" else None,
        )
        for name, variant in variants.items()
    }


def screen_control_outcome(
    workspace: Workspace,
    exposures: Sequence[str],
    adjustment: Sequence[str],
    *,
    lag_years: int,
    start: str,
    end: str,
    minimum_age: int,
    minimal_population: int,
) -> Screen:
    """Screen an outcome that no environment can cause: a monogenic neurological disease against other monogenic ones.

    What shows here is the network's doing (referral, place of the centres), and would show for ALS too.

    Parameters
    ----------
    workspace : Workspace
        The data.
    exposures, adjustment : sequence of str
        As in the main analysis.
    lag_years : int
        Lag of the window of exposure.
    start, end : str
        First and last day of inclusion.
    minimum_age, minimal_population : int
        As in the main analysis.

    Returns
    -------
    Screen
        Associations that should be null.
    """
    shared = {"start": start, "end": end, "minimum_age": minimum_age, "minimal_population": minimal_population}
    neurological = open_code_list("controls_neurological")
    cases = select_controls(workspace, **shared, control_group="monogenic_neurological")
    others = select_controls(workspace, **shared, control_group="monogenic_other").without_diagnosis(
        list(neurological.orpha_codes), descendants=True, status={"confirmed", "probable"}
    )
    wanted = sorted({*exposures, "centre_distance_km", "density_km2", "fdep_like"})
    first, second = (group.enrich(wanted, window=exposure_window(lag_years)) for group in (cases, others))
    return screen_exposures(first, second, exposures=exposures, adjust=[*PERSONAL, *adjustment], joint=False)


CONTROL_EXPOSURES = ("n_gp_per_1000",)
"""Exposures that cannot cause the disease, declared beforehand: a doctor nearby goes with density and with referral."""


def screen_control_exposures(
    workspace: Workspace, main: Variant, *, control_networks: Sequence[str], **definition: Any
) -> Screen:
    """Screen exposures that cannot cause the disease, by the main analysis.

    Parameters
    ----------
    workspace : Workspace
        The data.
    main : Variant
        The main analysis.
    control_networks : sequence of str
        Networks of the comparable controls.
    **definition : object
        Arguments of `select_cases` and, for those they share, of `select_controls`.

    Returns
    -------
    Screen
        Associations that should be null.
    """
    shared = {name: definition[name] for name in ("start", "end", "minimum_age", "minimal_population")}
    cases = select_cases(workspace, **definition)
    controls = select_controls(workspace, **shared, control_group=main.controls, control_networks=control_networks)
    wanted = sorted({*CONTROL_EXPOSURES, "centre_distance_km", "density_km2", "fdep_like"})
    window = exposure_window(main.lag_years)
    return screen_exposures(
        cases.enrich(wanted, window=window),
        controls.enrich(wanted, window=window),
        exposures=list(CONTROL_EXPOSURES),
        adjust=[*PERSONAL, *main.adjustment],
        joint=False,
    )


FIELDS = {"cases": "cases", "controls": "controls", "lag": "lag_years", "adjustment": "adjustment"}


def pick(
    screens: Mapping[str, Screen], variants: Mapping[str, Variant], choice: str, lang: str = "en"
) -> dict[str, Screen]:
    """Keep the main analysis and the variants that differ from it by one choice alone.

    Parameters
    ----------
    screens : mapping of str to Screen
        From `screen_variants`.
    variants : mapping of str to Variant
        Those they were made with.
    choice : {"cases", "controls", "lag", "adjustment"}
        The choice that varies.
    lang : {"en", "fr"}
        Language of the names.

    Returns
    -------
    dict of str to Screen
        Named by that choice, the main analysis among them in its place.
    """
    main, name = variants["main"], FIELDS[choice]
    same = {
        key: variant
        for key, variant in variants.items()
        if replace(variant, **{name: getattr(main, name)}) == main  # type: ignore[arg-type]
    }
    order = sorted(same, key=lambda key: same[key].lag_years) if choice == "lag" else list(same)
    word, mark = (FRENCH[choice], " (principale)") if lang == "fr" else (choice, " (main)")
    return {same[key].told(lang)[word] + (mark if key == "main" else ""): screens[key] for key in order}
