"""Filters on who a patient is: age, sex, residence, index date, follow-up. Each gives a new cohort."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from epi.cohort import criteria as c
from epi.cohort.definition import Definition
from epi.cohort.places import read_places
from epi.cohort.wording import SEXES, choose, read_day, read_period
from epi.errors import CohortError, ParameterError

if TYPE_CHECKING:
    from epi.workspace import Workspace

IndexRule = Literal["diagnosis", "first_inclusion", "first_activity", "birth"]


class PersonFilters:
    """Filters on the person; see :class:`~epi.cohort.Cohort`."""

    workspace: Workspace
    definition: Definition

    def _with(self, *criteria: c.Criterion, **changes: Any) -> Self:
        definition = replace(self.definition, criteria=(*self.definition.criteria, *criteria), **changes)
        return replace(self, definition=definition)  # type: ignore[type-var]

    def _without(self, kind: type[c.Criterion]) -> Self:
        kept = tuple(item for item in self.definition.criteria if not isinstance(item, kind))
        return replace(self, definition=replace(self.definition, criteria=kept))  # type: ignore[type-var]

    def _once(self, kind: type[c.Criterion], verb: str, instead: str) -> None:
        if any(type(item) is kind for item in self.definition.criteria):
            raise CohortError(f"{verb} is already in the definition", "once", instead)

    def including_fetuses(self) -> Self:
        """Keep fetal files, which are left out by default.

        Returns
        -------
        Cohort
            A new definition.
        """
        return self._without(c.NotAFetus)

    def including_foreign_residents(self) -> Self:
        """Keep residents of other countries, who are left out by default.

        Returns
        -------
        Cohort
            A new definition.
        """
        return self._without(c.FrenchResident)

    def aged(
        self,
        at_least: float | None = None,
        at_most: float | None = None,
        *,
        on: str | dt.date = "index",
    ) -> Self:
        """Keep patients of some ages at a date.

        A whole limit is in completed years: a patient is 18 from the 18th birthday on, and at most
        64 until the eve of the 65th; birth is on the 15th of its month. A limit such as 0.5 is
        compared with days / 365.25. An unknown age leaves with its own row of attrition.

        Parameters
        ----------
        at_least, at_most : float, optional
            Limits in years, both included.
        on : {"index"} or date, optional
            The index date, or a day.

        Returns
        -------
        Cohort
            A new definition.

        Raises
        ------
        ParameterError
            If no limit is given, or they cross.
        """
        if at_least is None and at_most is None:
            raise ParameterError("aged() has no limit", "at_least, at_most or both", "aged(at_least=18)")
        for value in (at_least, at_most):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise ParameterError(f"an age is {value!r}", "a number of years")
        if at_least is not None and at_most is not None and at_most < at_least:
            raise ParameterError(f"ages from {at_least} to {at_most} hold nobody", "at_least <= at_most")
        day = None if on == "index" else read_day(on, "on")
        return self._with(c.Aged(at_least, at_most, "index" if day is None else "day", day))

    def born_between(self, start: str | dt.date, end: str | dt.date) -> Self:
        """Keep patients born in a period; birth is on the 15th of its month.

        Parameters
        ----------
        start, end : date
            First and last day, both included.

        Returns
        -------
        Cohort
            A new definition.
        """
        self._once(c.Born, "born_between()", "give one period")
        return self._with(c.Born(*read_period(start, end)))

    def born_in_france(self) -> Self:
        """Keep patients whose commune of birth is known and lies in France, overseas included.

        Returns
        -------
        Cohort
            A new definition.
        """
        return self._with(c.BornInFrance())

    def of_sex(self, sex: str | Iterable[str]) -> Self:
        """Keep patients of a recorded sex.

        Parameters
        ----------
        sex : {"F", "M", "UNK"} or iterable of them
            The sex.

        Returns
        -------
        Cohort
            A new definition.
        """
        return self._with(c.OfSex(choose(sex, SEXES, "sex")))

    def residing_in(self, *places: str) -> Self:
        """Keep patients whose last known commune of residence lies in a place.

        Recorded codes of any year are brought to today's communes, arrondissements of Paris, Lyon
        and Marseille to their city. An unknown commune leaves with its own row of attrition.

        Parameters
        ----------
        *places : str
            ``"metropolitan France"``, ``"overseas France"``, names of régions or départements,
            ``"departement:69"``, ``"bassin_de_vie:38185"``, or INSEE codes; one of them is enough.

        Returns
        -------
        Cohort
            A new definition.

        Raises
        ------
        CohortError
            If a place does not exist.
        """
        return self._with(c.Residing(read_places(places)))

    def with_known_residence(self) -> Self:
        """Keep patients whose commune of residence leads to one commune of today.

        Returns
        -------
        Cohort
            A new definition.
        """
        return self._with(c.KnownResidence())

    def in_communes_of(self, at_least: int) -> Self:
        """Keep patients who live in communes of some population.

        Parameters
        ----------
        at_least : int
            Inhabitants.

        Returns
        -------
        Cohort
            A new definition.
        """
        if isinstance(at_least, bool) or not isinstance(at_least, int) or at_least < 1:
            raise ParameterError(f"the population is {at_least!r}", "a number of inhabitants, 1 or more")
        return self._with(c.InCommuneOf(at_least))

    def index_on(self, rule: IndexRule | str | dt.date) -> Self:
        """Say from which date time is read; patients for whom it is unknown leave.

        Parameters
        ----------
        rule : {"diagnosis", "first_inclusion", "first_activity", "birth"} or date
            ``diagnosis``: the earliest known date among diagnoses that meet the definition.
            ``first_activity``: the first activity in the definition's window, the first with the
            patient when it has none. A day is the same for all.

        Returns
        -------
        Cohort
            A new definition.

        Raises
        ------
        CohortError
            If an index date is already set.
        ParameterError
            If it is neither a rule nor a day.
        """
        if self.definition.index is not None:
            raise CohortError("the index date is already set", "one index date", "start from a cohort without it")
        if rule in {"diagnosis", "first_inclusion", "first_activity", "birth"}:
            index = c.Index(str(rule))
        else:
            rules = "diagnosis, first_inclusion, first_activity, birth"
            try:
                index = c.Index("date", read_day(rule, "the index date"))
            except ParameterError as error:
                raise ParameterError(f"index_on({rule!r})", f"{rules}, or a date such as 2020-01-01") from error
        return self._with(c.IndexKnown(index), index=index)

    def followed(
        self,
        origin: Literal["index", "birth"] = "index",
        entry: Literal["index", "birth", "first_record"] = "index",
        until: str | dt.date | None = None,
        *,
        end: Literal["administrative", "last_news"] = "administrative",
        at_least_days: int = 0,
        grace_days: int = 0,
    ) -> Self:
        """Say when patients are at risk: on (entry, exit], time being read from `origin`.

        Parameters
        ----------
        origin : {"index", "birth"}, optional
            Time zero.
        entry : {"index", "birth", "first_record"}, optional
            When time at risk begins, never before the origin; ``first_record`` (the first
            inclusion or activity) is left truncation.
        until : date, optional
            Last day; the extraction by default, and never after it.
        end : {"administrative", "last_news"}, optional
            Whether those alive are followed to the last day, or to their last activity.
        at_least_days : int, optional
            A minimal follow-up. It looks ahead, and is flagged.
        grace_days : int, optional
            With ``end="last_news"``: a patient stays at risk that long after each activity, and a
            death within it counts. With 0, no death after the last activity does; a grace about as
            long as visits are apart lets deaths in without giving the dead more time than the living.

        Returns
        -------
        Cohort
            A new definition; those with no time at risk leave.

        Raises
        ------
        ParameterError
            If an option does not exist, or the last day is after the extraction.
        """
        self._once(c.FollowUp, "followed()", "give all its options at once")
        options = (
            ("origin", origin, ("index", "birth")),
            ("entry", entry, ("index", "birth", "first_record")),
            ("end", end, ("administrative", "last_news")),
        )
        for name, value, allowed in options:
            if value not in allowed:
                raise ParameterError(f"{name} is {value!r}", f"one of {', '.join(allowed)}")
        last = self.workspace.extraction_date if until is None else read_day(until, "until")
        if last > self.workspace.extraction_date:
            raise ParameterError(
                f"follow-up ends on {last}, after the extraction", f"a day up to {self.workspace.extraction_date}"
            )
        if isinstance(at_least_days, bool) or not isinstance(at_least_days, int) or at_least_days < 0:
            raise ParameterError(f"at_least_days is {at_least_days!r}", "a number of days, 0 or more")
        if isinstance(grace_days, bool) or not isinstance(grace_days, int) or grace_days < 0:
            raise ParameterError(f"grace_days is {grace_days!r}", "a number of days, 0 or more")
        if grace_days and end != "last_news":
            raise ParameterError("grace_days without end='last_news'", "both, or neither", "end='last_news'")
        return self._with(c.FollowUp(origin, entry, last, end, at_least_days, grace_days))
