"""Criteria that a patient meets by a row of the registry: a diagnosis, an inclusion, an activity."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

from epi.cohort.criteria import Criterion, Index, Part
from epi.cohort.wording import CENTRES, STATUSES, Text, join_words, period_words


@dataclass(frozen=True)
class Known(Criterion):
    """Known to the base: included in at least one site."""

    proves_a_row: ClassVar[bool] = True

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        kept = Text("included in at least one site", "inclus dans au moins un site")
        return (Part(kept, Text("never included in a site", "jamais inclus dans un site")),)


@dataclass(frozen=True)
class Diagnosed(Criterion):
    """A diagnosis of some codes with some statuses; the first is the cohort's diagnosis."""

    proves_a_row: ClassVar[bool] = True
    codes: tuple[int, ...]
    title: Text
    statuses: frozenset[str]

    @property
    def status_words(self) -> Text:
        """The statuses, in words."""
        ordered = [STATUSES[status] for status in STATUSES if status in self.statuses]
        return Text(join_words(w.en for w in ordered), join_words((w.fr for w in ordered), "fr"))

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words, status = self.title, self.status_words
        return (
            Part(
                Text(f"with a recorded diagnosis of {words.en}", f"avec un diagnostic enregistré : {words.fr}"),
                Text("no such diagnosis recorded", "pas de tel diagnostic enregistré"),
            ),
            Part(
                Text(f"of status {status.en}", f"de statut {status.fr}"),
                Text("diagnosis of another status only", "diagnostic d'un autre statut seulement"),
            ),
        )

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        if index.rule == "diagnosis":
            return None
        return Text(
            f"a diagnosis made after the index date ({index.words.en}) lets a patient in",
            f"un diagnostic posé après la date index ({index.words.fr}) fait entrer un patient",
        )


@dataclass(frozen=True)
class NotFamilial(Criterion):
    """The first diagnosis that meets the definition is not recorded as familial."""

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        kept = Text("not recorded as a familial form", "forme non enregistrée comme familiale")
        return (Part(kept, Text("familial form", "forme familiale")),)


@dataclass(frozen=True)
class DiagnosedBetween(Criterion):
    """The first diagnosis that meets the definition lies in a period."""

    proves_a_row: ClassVar[bool] = True
    start: dt.date
    end: dt.date

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words = period_words(self.start, self.end)
        return (
            Part(
                Text("with a known date of first diagnosis", "avec une date de premier diagnostic connue"),
                Text("date of diagnosis unknown", "date de diagnostic inconnue"),
            ),
            Part(
                Text(f"first diagnosed {words.en}", f"premier diagnostic {words.fr}"),
                Text("first diagnosed outside the period", "premier diagnostic hors période"),
            ),
        )

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        if index.rule == "diagnosis" or not index.may_precede(self.end):
            return None
        return Text(
            f"the period of diagnosis may lie after the index date ({index.words.en})",
            f"la période de diagnostic peut suivre la date index ({index.words.fr})",
        )


@dataclass(frozen=True)
class SignsBetween(Criterion):
    """First signs lie in a period: birth plus the age at first signs."""

    proves_a_row: ClassVar[bool] = True
    start: dt.date
    end: dt.date

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words = period_words(self.start, self.end)
        return (
            Part(
                Text("with a known age at first signs", "avec un âge aux premiers signes connu"),
                Text("age at first signs unknown", "âge aux premiers signes inconnu"),
            ),
            Part(
                Text(f"first signs {words.en}", f"premiers signes {words.fr}"),
                Text("first signs outside the period", "premiers signes hors période"),
            ),
        )


@dataclass(frozen=True)
class Active(Criterion):
    """At least one activity of some contexts in a period."""

    proves_a_row: ClassVar[bool] = True
    start: dt.date
    end: dt.date
    contexts: frozenset[str]
    context_words: Text
    in_label: bool
    year: int | None = None

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words = period_words(self.start, self.end)
        if self.year is not None:
            words = Text(f"in {self.year} (file active)", f"en {self.year} (file active)")
        label = (
            Text(", in-label care only", ", prises en charge dans le label seulement")
            if self.in_label
            else Text("", "")
        )
        return (
            Part(
                Text(
                    f"with at least one activity {words.en}: {self.context_words.en}{label.en}",
                    f"avec au moins une activité {words.fr} : {self.context_words.fr}{label.fr}",
                ),
                Text("no such activity", "aucune activité de ce type"),
            ),
        )

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        if index.rule == "first_activity" or not index.may_precede(self.end):
            return None
        return Text(
            f"an activity after the index date ({index.words.en}) lets a patient in: "
            "those who died or left before are lost",
            f"une activité après la date index ({index.words.fr}) fait entrer un patient : "
            "les décès et départs antérieurs sont perdus",
        )


@dataclass(frozen=True)
class Included(Criterion):
    """The first inclusion in any site lies in a period."""

    proves_a_row: ClassVar[bool] = True
    start: dt.date
    end: dt.date

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words = period_words(self.start, self.end)
        return (
            Part(
                Text("with a known date of inclusion", "avec une date d'inclusion connue"),
                Text("date of inclusion unknown", "date d'inclusion inconnue"),
            ),
            Part(
                Text(f"first included in any site {words.en}", f"première inclusion, tous sites, {words.fr}"),
                Text("first included outside the period", "première inclusion hors période"),
            ),
        )

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        if index.rule == "first_inclusion" or not index.may_precede(self.end):
            return None
        return Text(
            f"an inclusion after the index date ({index.words.en}) lets a patient in",
            f"une inclusion après la date index ({index.words.fr}) fait entrer un patient",
        )


@dataclass(frozen=True)
class AtSites(Criterion):
    """Care at some sites, networks or types of centre."""

    proves_a_row: ClassVar[bool] = True
    sites: tuple[str, ...]
    fsmr: tuple[str, ...]
    centre_types: frozenset[str]
    in_label: bool

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        en, fr = [], []
        if self.sites:
            en.append(f"sites {', '.join(self.sites)}")
            fr.append(f"sites {', '.join(self.sites)}")
        if self.fsmr:
            en.append(f"filière {join_words(self.fsmr)}")
            fr.append(f"filière {join_words(self.fsmr, 'fr')}")
        if self.centre_types:
            types = [CENTRES[name] for name in CENTRES if name in self.centre_types]
            en.append(join_words(word.en for word in types))
            fr.append(join_words((word.fr for word in types), "fr"))
        if self.in_label:
            en.append("within the label")
            fr.append("dans le label")
        kept = Text(f"followed at: {'; '.join(en)}", f"suivi : {' ; '.join(fr)}")
        return (Part(kept, Text("not followed there", "non suivi dans ces centres")),)

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        return Text(
            "care at these sites may have begun after the index date",
            "le suivi dans ces centres peut avoir commencé après la date index",
        )


@dataclass(frozen=True)
class AlsoDiagnosed(Criterion):
    """Another diagnosis besides the cohort's own, whatever its date."""

    proves_a_row: ClassVar[bool] = True
    codes: tuple[int, ...]
    title: Text
    statuses: frozenset[str]

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        return (
            Part(
                Text(f"also with a diagnosis of {self.title.en}", f"avec aussi un diagnostic : {self.title.fr}"),
                Text("without it", "sans ce diagnostic"),
            ),
        )

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        return Text(
            "a second diagnosis made after the index date lets a patient in",
            "un second diagnostic posé après la date index fait entrer un patient",
        )


@dataclass(frozen=True)
class NotDiagnosed(Criterion):
    """No diagnosis of some codes, ever or up to the index date."""

    codes: tuple[int, ...]
    title: Text
    statuses: frozenset[str]
    before_index: bool

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        when = Text(" up to the index date", " jusqu'à la date index") if self.before_index else Text("", "")
        return (
            Part(
                Text(f"without a diagnosis of {self.title.en}{when.en}", f"sans diagnostic : {self.title.fr}{when.fr}"),
                Text("with such a diagnosis", "avec un tel diagnostic"),
            ),
        )

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        if self.before_index:
            return None
        return Text(
            'a diagnosis made after the index date takes a patient out; when="before_index" would not',
            "un diagnostic posé après la date index fait sortir un patient",
        )
