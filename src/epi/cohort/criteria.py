"""The criteria of a cohort: what each asks, in words, and when it looks past the index date.

A criterion is a value: it holds no data and computes nothing. :mod:`epi.cohort.extract` turns it
into the query; each of its parts writes one row of the attrition. Those about a patient's rows
(diagnoses, inclusions, activities) are in :mod:`epi.cohort.evidence`.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from epi.cohort.places import place_words
from epi.cohort.wording import SEXES, Text, join_words, period_words

FRANCE = ("FR", "BL", "GF", "GP", "MF", "MQ", "PM", "RE", "YT")
"""Country codes of residents of France: overseas départements have codes of their own in ISO 3166."""


@dataclass(frozen=True)
class Part:
    """One row of the attrition: who stays, and why the others leave.

    Parameters
    ----------
    kept, lost : Text
        The words.
    """

    kept: Text
    lost: Text


@dataclass(frozen=True)
class Index:
    """From which date time is read.

    Parameters
    ----------
    rule : str
        ``diagnosis``, ``first_inclusion``, ``first_activity``, ``birth`` or ``date``.
    day : datetime.date, optional
        The day, for ``date``.
    """

    rule: str
    day: dt.date | None = None

    @property
    def words(self) -> Text:
        """What the index date is."""
        return {
            "diagnosis": Text(
                "first diagnosis that meets the definition", "premier diagnostic répondant à la définition"
            ),
            "first_inclusion": Text("first inclusion in a site", "première inclusion dans un site"),
            "first_activity": Text(
                "first activity that meets the definition", "première activité répondant à la définition"
            ),
            "birth": Text("birth (15th of the month)", "naissance (15 du mois)"),
            "date": Text(f"{self.day}", f"{self.day:%d/%m/%Y}" if self.day else ""),
        }[self.rule]

    def may_precede(self, last: dt.date | None) -> bool:
        """Say whether something dated up to `last` may come after the index date.

        Parameters
        ----------
        last : datetime.date or None
            Last day looked at; None for no limit.

        Returns
        -------
        bool
            Whether it may.
        """
        return not (self.rule == "date" and self.day is not None and last is not None and last <= self.day)


@dataclass(frozen=True)
class Criterion(ABC):
    """What every criterion has."""

    # Whether a patient who meets it has a row to show for it: a diagnosis, an inclusion, an activity.
    proves_a_row: ClassVar[bool] = False

    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """Give the rows it writes in the attrition.

        Returns
        -------
        tuple of Part
            At least one.
        """

    def looks_ahead(self, index: Index) -> Text | None:
        """Say how it uses what comes after the index date, if it does.

        Parameters
        ----------
        index : Index
            The cohort's index date.

        Returns
        -------
        Text or None
            The warning.
        """
        return None


@dataclass(frozen=True)
class NotAFetus(Criterion):
    """Fetal files are left out."""

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        return (Part(Text("not a fetal file", "dossiers non fœtaux"), Text("fetal file", "dossier fœtal")),)


@dataclass(frozen=True)
class FrenchResident(Criterion):
    """Residents of France, overseas included."""

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        kept = Text("resident in France, overseas included", "résidant en France, outre-mer compris")
        return (Part(kept, Text("resident abroad", "résidant à l'étranger")),)


@dataclass(frozen=True)
class Aged(Criterion):
    """An age at a date, in completed years for whole limits, in years of 365.25 days for others."""

    at_least: float | None
    at_most: float | None
    on: str
    day: dt.date | None = None

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        bounds_en = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        bounds_fr = [f"au moins {self.at_least:g}"] if self.at_least is not None else []
        if self.at_most is not None:
            bounds_en.append(f"at most {self.at_most:g}")
            bounds_fr.append(f"au plus {self.at_most:g}")
        at = Text("at the index date", "à la date index")
        if self.day is not None:
            at = Text(f"on {self.day}", f"le {self.day:%d/%m/%Y}")
        return (
            Part(
                Text(f"age {at.en} known", f"âge {at.fr} connu"),
                Text(f"age {at.en} unknown", f"âge {at.fr} inconnu"),
            ),
            Part(
                Text(f"aged {' and '.join(bounds_en)} {at.en}", f"âge {at.fr} : {' et '.join(bounds_fr)}"),
                Text("outside these ages", "hors de ces âges"),
            ),
        )


@dataclass(frozen=True)
class Born(Criterion):
    """A birth in a period, birth being on the 15th of its month."""

    start: dt.date
    end: dt.date

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words = period_words(self.start, self.end)
        return (
            Part(Text("with a known date of birth", "avec une date de naissance connue"),
                 Text("date of birth unknown", "date de naissance inconnue")),
            Part(Text(f"born {words.en}", f"naissance {words.fr}"),
                 Text("born outside the period", "naissance hors période")),
        )  # fmt: skip


@dataclass(frozen=True)
class BornInFrance(Criterion):
    """A birth in a commune of France, overseas included."""

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        return (
            Part(Text("with a known commune of birth", "avec une commune de naissance connue"),
                 Text("commune of birth unknown", "commune de naissance inconnue")),
            Part(Text("born in France, overseas included", "naissance en France, outre-mer compris"),
                 Text("born abroad", "naissance à l'étranger")),
        )  # fmt: skip


@dataclass(frozen=True)
class OfSex(Criterion):
    """A recorded sex."""

    values: frozenset[str]

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words = [SEXES[value] for value in SEXES if value in self.values]
        kept = Text(f"of sex {join_words(w.en for w in words)}", f"de sexe {join_words((w.fr for w in words), 'fr')}")
        return (Part(kept, Text("of another or unknown sex", "d'un autre sexe ou de sexe inconnu")),)


@dataclass(frozen=True)
class KnownResidence(Criterion):
    """A commune of residence that leads to one commune of today."""

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        return (
            Part(
                Text("with a known commune of residence", "avec une commune de résidence connue"),
                Text("commune unknown, or not one of today's", "commune inconnue, ou sans équivalent actuel"),
            ),
        )

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        return Text(
            "the residence is the last one known, which may follow the index date",
            "la résidence est la dernière connue, qui peut suivre la date index",
        )


@dataclass(frozen=True)
class Residing(KnownResidence):
    """A residence in some places."""

    places: tuple[str, ...]

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        named = [place_words(place) for place in self.places]
        where = Text(join_words(w.en for w in named), join_words((w.fr for w in named), "fr"))
        return (
            *KnownResidence.parts(self),
            Part(
                Text(f"residing in {where.en}", f"résidant : {where.fr}"),
                Text("residing elsewhere", "résidant ailleurs"),
            ),
        )


@dataclass(frozen=True)
class InCommuneOf(KnownResidence):
    """A residence in a commune of some population."""

    at_least: int

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        return (
            *KnownResidence.parts(self),
            Part(
                Text(
                    f"in a commune of at least {self.at_least:,} inhabitants",
                    f"dans une commune d'au moins {self.at_least:,} habitants".replace(",", " "),
                ),
                Text("in a smaller commune", "dans une commune plus petite"),
            ),
        )


@dataclass(frozen=True)
class IndexKnown(Criterion):
    """The index date is known."""

    index: Index

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        words = self.index.words
        return (
            Part(
                Text(f"with a known index date: {words.en}", f"avec une date index connue : {words.fr}"),
                Text("index date unknown", "date index inconnue"),
            ),
        )


@dataclass(frozen=True)
class FollowUp(Criterion):
    """Time at risk on (entry, exit]; those with none leave."""

    origin: str
    entry: str
    until: dt.date
    end: str
    at_least_days: int = 0
    grace_days: int = 0

    def parts(self) -> tuple[Part, ...]:  # noqa: D102
        entry = {
            "index": Text("the index date", "la date index"),
            "birth": Text("birth", "la naissance"),
            "first_record": Text("the first inclusion or activity", "la première inclusion ou activité"),
        }[self.entry]
        end = {
            "administrative": Text("", ""),
            "last_news": Text(", last activity if earlier", ", dernière activité si antérieure"),
        }[self.end]
        if self.grace_days:
            end = Text(
                f", {self.grace_days:,} days after the last activity if earlier",
                f", {self.grace_days} jours après la dernière activité si antérieurs",
            )
        until = Text(f"death or {self.until}{end.en}", f"décès ou {self.until:%d/%m/%Y}{end.fr}")
        rows = [
            Part(
                Text(
                    f"at risk: from {entry.en} to {until.en}",
                    f"à risque : de {entry.fr} à {until.fr}",
                ),
                Text("no time at risk, or dates unknown", "aucun temps à risque, ou dates inconnues"),
            )
        ]
        if self.at_least_days:
            rows.append(
                Part(
                    Text(
                        f"followed at least {self.at_least_days:,} days", f"suivis au moins {self.at_least_days} jours"
                    ),
                    Text("followed for less", "suivis moins longtemps"),
                )
            )
        return tuple(rows)

    def looks_ahead(self, index: Index) -> Text | None:  # noqa: D102
        if self.at_least_days:
            return Text(
                "a minimal follow-up takes out those who died or left early (immortal time)",
                "un suivi minimal fait sortir les décès et départs précoces (temps immortel)",
            )
        return None
