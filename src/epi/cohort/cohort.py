"""The cohort: an immutable definition bound to a workspace, evaluated when it is looked at."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Self
from weakref import WeakKeyDictionary

import pandas as pd

from epi.cohort.attrition import Attrition, build_attrition
from epi.cohort.definition import POPULATIONS, Definition, Flag, Population
from epi.cohort.explanation import Explanation, build_explanation
from epi.cohort.extract import Extraction
from epi.cohort.records import RecordFilters
from epi.cohort.table_one import TableOne, build_table_one
from epi.errors import CohortError, ParameterError
from epi.results import Release

if TYPE_CHECKING:
    from epi.workspace import Workspace

_FACTS = (
    "patient_id", "index_date", "sex", "birth_date", "birth_commune", "residence_commune", "insee_code", "orpha_code",
    "diagnosis_date", "diagnosis_date_precision", "diagnosis_status", "origin_date", "entry_date", "exit_date",
    "died",
)  # fmt: skip
_MEMBERS = (
    "patient_id", "index_date", "sex", "birth_date", "birth_commune", "age_at_index", "age_completed",
    "residence_commune", "insee_code", "orpha_code", "diagnosis_date", "diagnosis_date_precision", "diagnosis_status",
    "origin_date", "entry_date", "exit_date", "follow_up_days", "died",
)  # fmt: skip
_DAYS = ("index_date", "birth_date", "diagnosis_date", "origin_date", "entry_date", "exit_date")
_YEAR = 365.25


@dataclass
class _Evaluation:
    """What was computed of one definition on one workspace."""

    extraction: Extraction
    counts: list[int]
    members: pd.DataFrame | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


# One evaluation for each definition and open workspace; a workspace never changes once open, and
# its fingerprint alone would not tell two protocols or opposition rules apart.
_EVALUATED: WeakKeyDictionary[Any, dict[str, _Evaluation]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Cohort(RecordFilters):
    """A definition bound to a workspace. Every filter gives a new cohort and leaves this one alone.

    Fetal files and residents of other countries are left out unless the definition says otherwise,
    and opposed patients always: all three are rows of the attrition. Nothing is read before a
    result (:attr:`n`, :attr:`members`, :attr:`attrition`...) is asked for.

    Parameters
    ----------
    workspace : Workspace
        The data.
    name : str
        What to call it.
    definition : Definition, optional
        Criteria and index date; filters make it.
    """

    workspace: Workspace
    name: str
    definition: Definition = field(default_factory=Definition)

    _verbs: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"\S.{0,79}", self.name):
            raise ParameterError("the cohort's name is not a short text", "1 to 80 characters on one line")

    @classmethod
    def on(cls, workspace: Workspace, name: str) -> Self:
        """Begin a definition on a workspace.

        Parameters
        ----------
        workspace : Workspace
            The data.
        name : str
            What to call the cohort.

        Returns
        -------
        Cohort
            Residents of France known to the workspace, fetal files left out; it needs filters.
        """
        return cls(workspace, name)

    @classmethod
    def register(cls, verb: str, function: Callable[..., Any]) -> None:
        """Hang a verb of a room above on every cohort.

        Parameters
        ----------
        verb : str
            The method's name.
        function : callable
            Called with the cohort first.
        """
        cls._verbs[verb] = function
        setattr(cls, verb, function)

    def named(self, name: str) -> Self:
        """Give the same definition under another name.

        Parameters
        ----------
        name : str
            The name.

        Returns
        -------
        Cohort
            The same definition.
        """
        return type(self)(self.workspace, name, self.definition)

    # -- what it is -------------------------------------------------------------------------------

    @property
    def population(self) -> Population:
        """Which of the four populations it is: known, file_active, new_case or incident."""
        return self.definition.population

    @property
    def period(self) -> tuple[dt.date, dt.date] | None:
        """First and last day of the event that makes the population, when there is one."""
        return self.definition.period

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Filters that look past the index date, and notes for the reader."""
        return self.definition.flags

    @property
    def words(self) -> str:
        """The definition in English."""
        return self.in_words("en")

    def in_words(self, lang: str = "en") -> str:
        """Say the definition, from the opposition rule to the flags.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        str
            Several lines.
        """
        head = f"Cohorte « {self.name} »" if lang == "fr" else f"Cohort '{self.name}'"
        return f"{head}\n{self.workspace.opposition.sentence(lang)}\n{self.definition.in_words(lang)}"

    def describe(self, lang: str = "en") -> Release:
        """Put the definition in words into a form that may be published.

        Parameters
        ----------
        lang : {"en", "fr"}, optional
            The language.

        Returns
        -------
        Release
            One row for each line of the definition; it counts nobody but those of the opposition rule.
        """
        lines = [line.removeprefix("- ") for line in self.in_words(lang).splitlines()]
        heading = {"en": "Definition", "fr": "Définition"}[lang]
        return Release(pd.DataFrame({heading: lines[2:]}), title=lines[0], note=lines[1])

    @property
    def settings(self) -> dict[str, Any]:
        """What determined the cohort, for tables of results."""
        period = self.period
        return {
            "cohort": self.name,
            "definition": self.definition.digest[:12],
            "population": self.population.name,
            "opposition_rule": self.workspace.opposition.rule,
            "period": "" if period is None else f"{period[0]}/{period[1]}",
        }

    def require_population(self, name: str, purpose: str) -> None:
        """Refuse a use for which this population is the wrong one.

        Parameters
        ----------
        name : {"known", "file_active", "new_case", "incident"}
            The population needed.
        purpose : str
            What for, such as ``"an incidence ratio"``.

        Raises
        ------
        CohortError
            If the cohort is another population.

        See Also
        --------
        population : which one it is.
        """
        if name not in POPULATIONS:
            raise ParameterError(f"the population {name!r} does not exist", f"one of {', '.join(POPULATIONS)}")
        if self.population.name != name:
            verbs = {
                "incident": "first_diagnosed_between(...) or first_signs_between(...)",
                "new_case": "first_included_between(...)",
                "file_active": "file_active(year) or active_between(...)",
                "known": "known_to_the_base(), without a period",
            }
            raise CohortError(
                f"cohort '{self.name}' is of the population “{self.population.words.en}”",
                f"for {purpose}: {POPULATIONS[name].words.en}",
                f"use {verbs[name]}",
            )

    # -- what it gives ----------------------------------------------------------------------------

    def _evaluate(self) -> _Evaluation:
        self.definition.check()
        known = _EVALUATED.setdefault(self.workspace, {})
        key = self.definition.digest
        if key not in known:
            extraction = Extraction(self.workspace, self.definition.criteria, self.definition.index)
            known[key] = _Evaluation(extraction, extraction.counts())
        return known[key]

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left."""
        return self._evaluate().counts[-1] == 0

    @property
    def n(self) -> int:
        """Number of members; an empty cohort is refused, with the step that lost the last patient."""
        self._check_not_empty()
        return self._evaluate().counts[-1]

    def __len__(self) -> int:
        return self.n

    def _check_not_empty(self) -> None:
        if not self.is_empty:
            return
        table = self.attrition.table
        if (table["n_in"].iloc[-1] == 0) and (table["n_out"].iloc[0] == 0):
            raise CohortError("the workspace has no patient that may be studied", "at least one")
        met = table[table["n_in"] > 0]
        last = met.iloc[-1]
        flow = [
            f"{before:,} → {after:,}: {label}"
            for before, after, label in zip(met["n_in"], met["n_out"], met["label"].astype(str), strict=True)
        ]
        raise CohortError(
            f"cohort '{self.name}' is empty: the last {last['n_in']:,} patient(s) were lost at the step "
            f"“{last['label']}” ({last['reason']})",
            "at least one member",
            "loosen that step, or check that its values are those of the data",
            faults=flow,
        )

    @property
    def members(self) -> pd.DataFrame:
        """Members in order of patient_id; for computing, on the user's screen only.

        Columns: patient_id, index_date, sex, birth_date, birth_commune (as recorded, where it is granted),
        age_at_index (years of 365.25 days), age_completed (completed years, by the calendar),
        residence_commune (as recorded), insee_code (today's commune), orpha_code and diagnosis_date,
        diagnosis_date_precision, diagnosis_status (of the first diagnosis that meets the definition),
        origin_date, entry_date, exit_date, follow_up_days (missing where exit comes before entry) and died
        (before exit).
        """
        self._check_not_empty()
        evaluation = self._evaluate()
        with evaluation.lock:
            if evaluation.members is None:
                evaluation.members = _tidy(evaluation.extraction.members(_FACTS))
        return evaluation.members.copy()

    @property
    def attrition(self) -> Attrition:
        """How many patients each filter took out, opposition first."""
        return build_attrition(self.name, self.workspace, self.definition, self._evaluate().counts)

    @property
    def query(self) -> str:
        """The SQL that reads the members."""
        return self._evaluate().extraction.sql(_FACTS)

    def explain(self, patient_id: str) -> Explanation:
        """Say step by step why a patient is in or out, on the user's screen only.

        A patient who is unknown and one who opposed get the same answer.

        Parameters
        ----------
        patient_id : str
            The patient.

        Returns
        -------
        Explanation
            Steps in order; it cannot be given to ``epi.output``.
        """
        facts = self._evaluate().extraction.one(str(patient_id))
        return build_explanation(self.name, self.definition, facts)

    def table_one(
        self, by: str | pd.Series | None = None, variables: list[str] | None = None, extra: pd.DataFrame | None = None
    ) -> TableOne:
        """Describe the members, whole or by group, with standardised differences.

        Parameters
        ----------
        by : str or pandas.Series, optional
            A column of the members or of `extra`, or a series indexed by patient_id.
        variables : list of str, optional
            Columns to describe; age, sex, residence, year of index, status of diagnosis and death by
            default, where the definition gives them, and every column of `extra`.
        extra : pandas.DataFrame, optional
            More columns, with a patient_id.

        Returns
        -------
        TableOne
            The table.
        """
        return build_table_one(self.name, self.members, by, variables, extra)

    # -- how it shows -----------------------------------------------------------------------------

    def __repr__(self) -> str:
        label = " [synthetic]" if self.workspace.synthetic else ""
        return f"<Cohort '{self.name}'{label}: {self.population.name}, {len(self.definition.criteria)} criteria>"

    def _repr_html_(self) -> str:
        banner = "<p><strong>SYNTHETIC DATA</strong></p>" if self.workspace.synthetic else ""
        try:
            self._check_not_empty()
            count = f"<p><strong>{self.n:,}</strong> patients, population “{escape(self.population.words.en)}”.</p>"
        except CohortError as error:
            count = f"<p><strong>{escape(error.sentence)}</strong></p>"
        lines = "".join(f"<li>{escape(line.removeprefix('- '))}</li>" for line in self.words.split("\n")[1:])
        flags = "".join(
            f"<p>{'⚠' if flag.kind == 'looks ahead' else 'ℹ'} {escape(flag.words.en)}.</p>" for flag in self.flags
        )
        return f"{banner}<h4>Cohort “{escape(self.name)}”</h4>{count}<ul>{lines}</ul>{flags}"


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    for name in _DAYS:
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[ns]")
    for name in (
        "patient_id",
        "sex",
        "birth_commune",
        "residence_commune",
        "insee_code",
        "diagnosis_status",
        "diagnosis_date_precision",
    ):
        frame[name] = frame[name].astype("string")
    frame["orpha_code"] = frame["orpha_code"].astype("Int64")
    frame["died"] = frame["died"].astype("boolean")
    frame["age_at_index"] = (frame["index_date"] - frame["birth_date"]).dt.days / _YEAR
    frame["age_completed"] = _completed_years(frame["birth_date"], frame["index_date"])
    days = (frame["exit_date"] - frame["entry_date"]).dt.days
    frame["follow_up_days"] = days.where(days >= 0).astype("Int64")
    return frame[list(_MEMBERS)].sort_values("patient_id", kind="stable").reset_index(drop=True)


def _completed_years(birth: pd.Series, day: pd.Series) -> pd.Series:
    """Count birthdays, as :meth:`Cohort.aged` does: years of 365.25 days miss some of them by a day."""
    before = (day.dt.month * 100 + day.dt.day) < (birth.dt.month * 100 + birth.dt.day)
    return (day.dt.year - birth.dt.year - before).astype("Int64")
