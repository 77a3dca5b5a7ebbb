"""Filters on a patient's rows: diagnoses, inclusions, activities, sites. Each gives a new cohort."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Literal, Self

from epi.codes import CodeList, OrphaNomenclature, open_nomenclature
from epi.cohort import evidence as e
from epi.cohort.filters import PersonFilters
from epi.cohort.wording import (
    CENTRES,
    CONTEXT_SET_WORDS,
    CONTEXT_SETS,
    CONTEXTS,
    STATUSES,
    Text,
    choose,
    join_words,
    read_period,
)
from epi.errors import CodeError, CohortError, ParameterError

Orpha = int | str | Iterable[int | str] | CodeList
CASES = frozenset({"confirmed", "probable"})


class RecordFilters(PersonFilters):
    """Filters on rows of the registry; see :class:`~epi.cohort.Cohort`."""

    def known_to_the_base(self) -> Self:
        """Keep patients included in at least one site: the cumulated population of the base.

        Returns
        -------
        Cohort
            A new definition.
        """
        return self._with(e.Known())

    def diagnosed_with(self, orpha: Orpha, *, descendants: bool = True, status: str | Iterable[str] = CASES) -> Self:
        """Keep patients with a diagnosis of some codes and statuses; it dates the cohort.

        Recorded codes that moved are read as their replacement. The cohort's *first diagnosis* is,
        among the patient's diagnoses that match, the one of earliest known date.

        Parameters
        ----------
        orpha : int, str, iterable of them or CodeList
            Codes.
        descendants : bool, optional
            Take everything below them too.
        status : str or iterable of str, optional
            Statuses of the diagnosis; confirmed or probable by default.

        Returns
        -------
        Cohort
            A new definition.

        Raises
        ------
        CodeError
            If a code does not exist; all of them at once.
        CohortError
            If a diagnosis is already asked for, or a status does not exist.
        """
        self._once(e.Diagnosed, "diagnosed_with()", "list all codes at once, or add also_diagnosed_with(...)")
        codes, title = read_codes(orpha, descendants)
        return self._with(e.Diagnosed(codes, title, choose(status, STATUSES, "status")))

    def without_familial_forms(self) -> Self:
        """Leave out patients whose first diagnosis that meets the definition is recorded as familial.

        Returns
        -------
        Cohort
            A new definition; a form that is not recorded stays.

        Raises
        ------
        CohortError
            If no diagnosis is asked for before.
        """
        if not any(isinstance(item, e.Diagnosed) for item in self.definition.criteria):
            raise CohortError(
                "without_familial_forms() looks at the cohort's diagnosis, and there is none",
                "diagnosed_with(...) before it",
                "begin with .diagnosed_with(orpha=...)",
            )
        self._once(e.NotFamilial, "without_familial_forms()", "leave the second one out")
        return self._with(e.NotFamilial())

    def also_diagnosed_with(
        self, orpha: Orpha, *, descendants: bool = True, status: str | Iterable[str] = CASES
    ) -> Self:
        """Keep patients who have another diagnosis too; it does not date the cohort.

        Parameters
        ----------
        orpha : int, str, iterable of them or CodeList
            Codes.
        descendants : bool, optional
            Take everything below them too.
        status : str or iterable of str, optional
            Statuses.

        Returns
        -------
        Cohort
            A new definition.
        """
        codes, title = read_codes(orpha, descendants)
        return self._with(e.AlsoDiagnosed(codes, title, choose(status, STATUSES, "status")))

    def without_diagnosis(
        self,
        orpha: Orpha,
        *,
        descendants: bool = True,
        status: str | Iterable[str] = CASES,
        when: Literal["ever", "before_index"] = "ever",
    ) -> Self:
        """Leave out patients with a diagnosis of some codes.

        Parameters
        ----------
        orpha : int, str, iterable of them or CodeList
            Codes.
        descendants : bool, optional
            Take everything below them too.
        status : str or iterable of str, optional
            Statuses that count.
        when : {"ever", "before_index"}, optional
            ``ever`` looks past the index date and is flagged. With ``before_index`` a diagnosis on
            the index date, or of unknown date, takes the patient out too.

        Returns
        -------
        Cohort
            A new definition.
        """
        if when not in {"ever", "before_index"}:
            raise ParameterError(f"when is {when!r}", "'ever' or 'before_index'")
        codes, title = read_codes(orpha, descendants)
        statuses = choose(status, STATUSES, "status")
        return self._with(e.NotDiagnosed(codes, title, statuses, when == "before_index"))

    def first_diagnosed_between(self, start: str | dt.date, end: str | dt.date) -> Self:
        """Keep patients whose first diagnosis lies in a period: the *incident* population.

        A date known to the month or the year stands at its middle. An unknown date leaves with its
        own row of attrition.

        Parameters
        ----------
        start, end : date
            First and last day, both included.

        Returns
        -------
        Cohort
            A new definition.

        Raises
        ------
        CohortError
            If the period ends after the extraction: nothing is recorded there.
        """
        self._once(e.DiagnosedBetween, "first_diagnosed_between()", "give one period")
        return self._with(e.DiagnosedBetween(*self._observed(start, end, "first_diagnosed_between")))

    def first_signs_between(self, start: str | dt.date, end: str | dt.date) -> Self:
        """Keep patients whose first signs lie in a period: birth plus the age at first signs.

        Parameters
        ----------
        start, end : date
            First and last day, both included.

        Returns
        -------
        Cohort
            A new definition, of the *incident* population.

        Raises
        ------
        CohortError
            If the period ends after the extraction: nothing is recorded there.
        """
        self._once(e.SignsBetween, "first_signs_between()", "give one period")
        return self._with(e.SignsBetween(*self._observed(start, end, "first_signs_between")))

    def first_included_between(self, start: str | dt.date, end: str | dt.date) -> Self:
        """Keep patients first included in any site in a period: the *new case* population.

        Parameters
        ----------
        start, end : date
            First and last day, both included.

        Returns
        -------
        Cohort
            A new definition.

        Raises
        ------
        CohortError
            If the period ends after the extraction: nothing is recorded there.
        """
        self._once(e.Included, "first_included_between()", "give one period")
        return self._with(e.Included(*self._observed(start, end, "first_included_between")))

    def _observed(self, start: str | dt.date, end: str | dt.date, verb: str) -> tuple[dt.date, dt.date]:
        """Read a period in which new events are looked for: it ends with the data at the latest."""
        first, last = read_period(start, end)
        extraction = self.workspace.extraction_date
        if last > extraction:
            raise CohortError(
                f"{verb}() ends on {last}, and the data were extracted on {extraction}",
                "a period that the data cover",
                f'{verb}("{first}", "{extraction}") at the latest'
                if first <= extraction
                else f"a period that ends on {extraction} or before",
            )
        return first, last

    def active_between(
        self,
        start: str | dt.date,
        end: str | dt.date,
        *,
        contexts: str | Iterable[str] = "with_patient",
        in_label: bool = False,
    ) -> Self:
        """Keep patients with at least one activity in a period.

        Parameters
        ----------
        start, end : date
            First and last day, both included.
        contexts : str or iterable of str, optional
            ``with_patient`` (opinions on file and RCP left out), ``face_to_face``, ``any``, or
            contexts by name.
        in_label : bool, optional
            Only activities of care inside the site's labelled perimeter.

        Returns
        -------
        Cohort
            A new definition, of the *file active* population.
        """
        return self._active(*read_period(start, end), contexts, in_label)

    def file_active(self, year: int, *, contexts: str | Iterable[str] = "with_patient", in_label: bool = False) -> Self:
        """Keep the *file active* of a year: at least one activity in the year.

        Parameters
        ----------
        year : int
            The calendar year.
        contexts : str or iterable of str, optional
            See :meth:`active_between`.
        in_label : bool, optional
            See :meth:`active_between`.

        Returns
        -------
        Cohort
            A new definition.
        """
        if isinstance(year, bool) or not isinstance(year, int) or not 1990 <= year <= 2100:
            raise ParameterError(f"the year is {year!r}", "a year such as 2023")
        return self._active(dt.date(year, 1, 1), dt.date(year, 12, 31), contexts, in_label, year)

    def _active(
        self, start: dt.date, end: dt.date, contexts: str | Iterable[str], in_label: bool, year: int | None = None
    ) -> Self:
        if isinstance(contexts, str) and contexts in CONTEXT_SETS:
            chosen, words = CONTEXT_SETS[contexts], CONTEXT_SET_WORDS[contexts]
        else:
            chosen = choose(contexts, CONTEXTS, "context")
            named = [CONTEXTS[name] for name in CONTEXTS if name in chosen]
            words = Text(join_words(w.en for w in named), join_words((w.fr for w in named), "fr"))
        return self._with(e.Active(start, end, chosen, words, in_label, year))

    def at_sites(
        self,
        sites: str | Iterable[str] = (),
        *,
        fsmr: str | Iterable[str] = (),
        centre_type: str | Iterable[str] = (),
        in_label: bool = False,
    ) -> Self:
        """Keep patients cared for at some sites; all that is given must hold for one care.

        Parameters
        ----------
        sites : str or iterable of str, optional
            Codes of sites.
        fsmr : str or iterable of str, optional
            Filières; that of an activity is its site's.
        centre_type : str or iterable of str, optional
            ``CRMR_coordinator``, ``CRMR_constitutive``, ``CCMR``, ``CRC``.
        in_label : bool, optional
            Only care inside the site's labelled perimeter.

        Returns
        -------
        Cohort
            A new definition.

        Raises
        ------
        CohortError
            If nothing is asked, or a type of centre does not exist.
        """
        codes = _several(sites)
        networks = _several(fsmr)
        types = choose(centre_type, CENTRES, "type of centre") if centre_type else frozenset()
        if not (codes or networks or types or in_label):
            raise CohortError("at_sites() asks for nothing", "sites, fsmr, centre_type or in_label=True")
        return self._with(e.AtSites(codes, networks, types, in_label))


def read_codes(orpha: Orpha, descendants: bool) -> tuple[tuple[int, ...], Text]:
    """Read ORPHA codes, close them downwards, and name them.

    Parameters
    ----------
    orpha : int, str, iterable of them or CodeList
        Codes.
    descendants : bool
        Take everything below them too.

    Returns
    -------
    tuple of tuple of int and Text
        All codes in order, and what they are in words.

    Raises
    ------
    CodeError
        If codes do not exist, or none is given; all faults at once.

    Examples
    --------
    >>> codes, words = read_codes(803, descendants=True)
    >>> codes, words.en
    ((803,), 'ORPHA:803 Amyotrophic lateral sclerosis with descendants')
    """
    nomenclature = open_nomenclature()
    given = orpha.orpha_codes if isinstance(orpha, CodeList) else orpha
    asked = [given] if isinstance(given, int | str) else list(given)
    if not asked:
        raise CodeError("no ORPHA code is given", "at least one")
    log = nomenclature.resolve_all(asked)
    current = list(dict.fromkeys(log["current"].tolist()))
    codes = set(current)
    if descendants:
        codes |= {below for code in current for below in nomenclature.descendants(code)}
    return tuple(sorted(codes)), _title(nomenclature, orpha, current, descendants)


def _title(nomenclature: OrphaNomenclature, orpha: Orpha, codes: list[int], descendants: bool) -> Text:
    tail = Text(" with descendants", " et descendants") if descendants else Text(", exactly", ", exactement")
    if isinstance(orpha, CodeList):
        size = f"{len(orpha)} codes"
        return Text(
            f"code list “{orpha.name}” {orpha.version} ({size}){tail.en}",
            f"liste « {orpha.name} » {orpha.version} ({size}){tail.fr}",
        )
    if len(codes) > 3:
        return Text(f"{len(codes)} ORPHA codes{tail.en}", f"{len(codes)} codes ORPHA{tail.fr}")
    names = {lang: join_words((f"ORPHA:{code} {nomenclature.label(code, lang)}" for code in codes), lang)
             for lang in ("en", "fr")}  # fmt: skip
    return Text(f"{names['en']}{tail.en}", f"{names['fr']}{tail.fr}")


def _several(values: str | Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(dict.fromkeys(values))
