"""A cohort's definition: its criteria in order, its index date, in words, with its flags."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from epi.cohort import evidence as e
from epi.cohort.criteria import Criterion, FollowUp, FrenchResident, Index, IndexKnown, NotAFetus
from epi.cohort.wording import Text
from epi.errors import CohortError
from epi.files import digest_text


@dataclass(frozen=True)
class Population:
    """Which of the four populations a cohort is.

    Parameters
    ----------
    name : {"known", "file_active", "new_case", "incident"}
        The population.
    words : Text
        Its definition.
    """

    name: str
    words: Text

    def __str__(self) -> str:
        return f"{self.name}: {self.words.en}"


POPULATIONS = {
    "known": Population(
        "known",
        Text(
            "known to the base: everyone recorded, cumulated over the years",
            "connus de la base : toutes les personnes enregistrées, cumulées au fil des années",
        ),
    ),
    "file_active": Population(
        "file_active",
        Text("file active: at least one activity in the period", "file active : au moins une activité dans la période"),
    ),
    "new_case": Population(
        "new_case",
        Text(
            "new cases: first inclusion in any site in the period (new to the network, not newly ill)",
            "nouveaux cas : première inclusion, tous sites, dans la période (nouveaux dans le réseau)",
        ),
    ),
    "incident": Population(
        "incident",
        Text(
            "incident disease: first diagnosis or first signs in the period",
            "maladie incidente : premier diagnostic ou premiers signes dans la période",
        ),
    ),
}


@dataclass(frozen=True)
class Flag:
    """Something of the definition that a reader must know.

    Parameters
    ----------
    kind : {"looks ahead", "note"}
        ``looks ahead``: the cohort is chosen by what comes after the index date.
    step : Text
        The filter.
    words : Text
        What it does.
    """

    kind: str
    step: Text
    words: Text


@dataclass(frozen=True)
class Definition:
    """Criteria in the order of the attrition, and the index date.

    Parameters
    ----------
    criteria : tuple of Criterion
        What a member meets.
    index : Index, optional
        From which date time is read.
    """

    criteria: tuple[Criterion, ...] = (NotAFetus(), FrenchResident())
    index: Index | None = None

    @property
    def digest(self) -> str:
        """A digest of the definition: equal definitions, equal digest."""
        # Sets have no order of their own: they are written sorted.
        return digest_text(*(_canonical(item) for item in (*self.criteria, self.index)))

    @property
    def period(self) -> tuple[dt.date, dt.date] | None:
        """The period of the event that makes the population, when there is one.

        Whatever the order of the filters, a period of diagnosis comes before one of first signs: the
        age of the cases is that at their diagnosis.
        """
        for kind in (e.DiagnosedBetween, e.SignsBetween, e.Included, e.Active):
            for item in self.criteria:
                if isinstance(item, kind):
                    return item.start, item.end
        return None

    @property
    def population(self) -> Population:
        """Which of the four populations it is; the event nearest to the disease decides."""
        kinds = (
            ("incident", (e.DiagnosedBetween, e.SignsBetween)),
            ("new_case", (e.Included,)),
            ("file_active", (e.Active,)),
        )
        for name, classes in kinds:
            if any(isinstance(item, classes) for item in self.criteria):
                return POPULATIONS[name]
        return POPULATIONS["known"]

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What looks past the index date, and what a reader must know."""
        if self.index is None:
            return ()
        late_entry = any(isinstance(item, FollowUp) and item.entry == "first_record" for item in self.criteria)
        flags: list[Flag] = []
        for item in self.criteria:
            words = item.looks_ahead(self.index)
            if words is None:
                continue
            # Time at risk that starts at the first record does not count what came before: a
            # diagnosis or an inclusion that lets someone in later gives them no time for free.
            evidence = isinstance(item, e.Diagnosed | e.DiagnosedBetween | e.Included | e.Known)
            if self.index.rule == "birth" and late_entry and evidence:
                continue
            residence = type(item).__name__ in {"KnownResidence", "Residing", "InCommuneOf"}
            kind = "note" if residence else "looks ahead"
            flag = Flag(kind, item.parts()[-1].kept, words)
            if not any(other.kind == "note" and other.words == flag.words for other in flags):
                flags.append(flag)
        return tuple(flags)

    def ahead(self, item: Criterion) -> bool:
        """Say whether a criterion is flagged as looking ahead.

        Parameters
        ----------
        item : Criterion
            One of the criteria.

        Returns
        -------
        bool
            Whether it is.
        """
        step = item.parts()[-1].kept
        return any(flag.kind == "looks ahead" and flag.step == step for flag in self.flags)

    def check(self) -> None:
        """Refuse a definition that a patient without any row would meet.

        Raises
        ------
        CohortError
            If no criterion asks for a diagnosis, an inclusion or an activity; if a criterion
            asks for a date that the definition does not give.
        """
        if not any(item.proves_a_row for item in self.criteria):
            said = [item.parts()[-1].kept.en for item in self.criteria]
            raise CohortError(
                "the definition is true for a patient with no diagnosis, no inclusion and no activity",
                "at least one criterion that a row of the registry proves",
                "add diagnosed_with(...), file_active(...), first_included_between(...), at_sites(...) or "
                "known_to_the_base()",
                faults=[f"asked so far: {words}" for words in said],
            )
        faults = []
        has_diagnosis = any(isinstance(item, e.Diagnosed) for item in self.criteria)
        dated = any(isinstance(item, e.DiagnosedBetween | e.SignsBetween) for item in self.criteria)
        if not has_diagnosis and (dated or (self.index is not None and self.index.rule == "diagnosis")):
            faults.append("it dates a diagnosis and does not say which: add diagnosed_with(orpha=...)")
        if self.index is None and any(_asks_for_index(item) for item in self.criteria):
            faults.append('it asks for an age, a follow-up or a past at the index date: add index_on("diagnosis")')
        if faults:
            raise CohortError("the definition is incomplete", "one meaning only", faults=faults)

    def in_words(self, lang: str = "en") -> str:
        """Say the definition.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        str
            One line for each criterion, then the population, the index date and the flags.
        """
        fr = lang == "fr"
        lines = [f"- {part.kept.get(lang)}" for item in self.criteria for part in item.parts()]
        colon = " :" if fr else ":"
        lines.append(f"Population{colon} {self.population.words.get(lang)}.")
        if self.index is not None:
            lines.append(f"{'Date index' if fr else 'Index date'}{colon} {self.index.words.get(lang)}.")
        lines.append(
            "Une date connue au mois ou à l'année se tient en son milieu ; un âge entier se compte en années révolues, "
            "la naissance étant au 15 du mois."
            if fr
            else "A date known to the month or the year stands at its middle; a whole age is in completed years, "
            "birth being on the 15th of the month."
        )
        marks = {"looks ahead": "Regarde après la date index" if fr else "Looks past the index date", "note": "Note"}
        lines += [
            f"{marks[flag.kind]}{colon} {flag.step.get(lang)}{colon} {flag.words.get(lang)}." for flag in self.flags
        ]
        return "\n".join(lines)


def _asks_for_index(item: Criterion) -> bool:
    from epi.cohort.criteria import Aged

    return (
        (isinstance(item, Aged) and item.day is None)
        or (isinstance(item, FollowUp) and "index" in {item.origin, item.entry})
        or (isinstance(item, e.NotDiagnosed) and item.before_index)
        or isinstance(item, IndexKnown)
    )


def _canonical(item: Criterion | Index | None) -> str:
    if item is None:
        return "no index"
    fields = {
        name: sorted(value) if isinstance(value, frozenset) else value for name, value in sorted(vars(item).items())
    }
    return f"{type(item).__name__}{fields}"
