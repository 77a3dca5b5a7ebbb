"""The rules of disclosure control, read as data and checked."""

from __future__ import annotations

import re
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from epi.errors import ProtocolError
from epi.files import read_yaml

if TYPE_CHECKING:
    from epi.protocol import Protocol

Behaviour = Literal["hide", "flag"]


class Policy(BaseModel):
    """What may be printed, and what is hidden or refused.

    Defaults, sources and reasons stand in ``policy.yml``, beside this module.

    Parameters
    ----------
    name, version : str
        Which rules these are.
    min_count : int
        The smallest number of persons that may be printed; zero may be.
    bndmr_only_min_count : int
        What a protocol may lower `min_count` to, when all its sources are in `bndmr_only_sources`.
    bndmr_only_sources : tuple of str
        Sources that allow it.
    mark : str
        What stands for a hidden cell.
    structural_partition, structural_share : {"hide", "flag"}
        What to do of a whole group in one category, and of a count equal to its denominator.
    not_traits : tuple of str
        Columns whose categories are states of the data: a whole group in one says nothing.
    quantiles : dict
        Words of column names that hold a quantile, and its level.
    means, extremes : tuple of str
        Words of column names that hold a summary of persons, and one person's value.
    percent_columns : tuple of str
        Words of column names that hold a percentage.
    percent_decimals : int
        Decimals kept of it.
    identifier_columns, identifier_endings : tuple of str
        Names, and endings of names, of columns that are never printed.
    identifier_values : dict
        Shapes of identifiers, as regular expressions.
    period_values : tuple of str
        Those that titles, notes, settings and lines of a definition may hold.
    quasi_identifiers : tuple of str
        Columns that together make a row look like a person.
    person_level_columns : int
        How many of them are refused together.
    max_rows : int
        The longest table printed.
    few_rows : int
        Rows up to which a table without counts may hold undeclared figures, and codes that come once.
    code_columns, territory_columns : tuple of str
        Words of column names that hold codes of rows, and codes of territories.
    commune_code : str
        Shape of the code of a commune, as a regular expression.
    small_area_columns, population_columns : tuple of str
        Columns of communes, and of their inhabitants.
    small_area_min_population : int
        The smallest area printed beside a count of patients.
    site_columns : tuple of str
        Columns of sites, whose agreement is needed.
    statistics, count_columns : tuple of str
        Words of column names that hold a statistic, and a count of persons.
    probabilities : tuple of str
        Words of column names whose values lie between 0 and 1.
    person_units : tuple of str
        Words of units of recorded values that count persons.
    rate_units, ratio_units, measure_units : tuple of str
        Words of units of rates, first words of units of ratios, words of units of anything else.
    share_units : dict
        Units of recorded shares, and what a whole is in each.
    page_rows : int
        Rows of a table shown on a page.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    min_count: int = Field(ge=1, le=1000)
    bndmr_only_min_count: int = Field(ge=1)
    bndmr_only_sources: tuple[str, ...]
    mark: str = Field(min_length=1, max_length=12)
    structural_partition: Behaviour
    structural_share: Behaviour
    not_traits: tuple[str, ...]
    quantiles: dict[str, float]
    means: tuple[str, ...]
    extremes: tuple[str, ...]
    percent_columns: tuple[str, ...]
    percent_decimals: int = Field(ge=0, le=6)
    identifier_columns: tuple[str, ...]
    identifier_endings: tuple[str, ...]
    identifier_values: dict[str, str]
    period_values: tuple[str, ...]
    quasi_identifiers: tuple[str, ...]
    person_level_columns: int = Field(ge=2)
    max_rows: int = Field(ge=1)
    few_rows: int = Field(ge=1)
    code_columns: tuple[str, ...]
    territory_columns: tuple[str, ...]
    commune_code: str
    small_area_columns: tuple[str, ...]
    population_columns: tuple[str, ...]
    small_area_min_population: int = Field(ge=0)
    site_columns: tuple[str, ...]
    statistics: tuple[str, ...]
    count_columns: tuple[str, ...]
    probabilities: tuple[str, ...]
    person_units: tuple[str, ...]
    rate_units: tuple[str, ...]
    ratio_units: tuple[str, ...]
    measure_units: tuple[str, ...]
    share_units: dict[str, float]
    page_rows: int = Field(ge=5)

    @model_validator(mode="after")
    def _coherent(self) -> Policy:
        patterns = {f"identifier_values.{name}": shape for name, shape in self.identifier_values.items()}
        for name, pattern in {**patterns, "commune_code": self.commune_code}.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{name} is not a regular expression") from error
        unknown = sorted(set(self.period_values) - set(self.identifier_values))
        if unknown:
            raise ValueError(f"period_values names no rule of identifier_values: {', '.join(unknown)}")
        wrong = sorted(name for name, level in self.quantiles.items() if not 0 < level < 1)
        if wrong:
            raise ValueError(f"quantiles outside 0 to 1: {', '.join(wrong)}")
        if re.search(r"\d", self.mark):
            raise ValueError("a mark with a digit would be read as a number")
        return self

    @cached_property
    def value_patterns(self) -> dict[str, re.Pattern[str]]:
        """Compiled rules on whole cells.

        Returns
        -------
        dict
            Rule name to compiled pattern.
        """
        return {name: re.compile(pattern) for name, pattern in self.identifier_values.items()}

    @cached_property
    def text_patterns(self) -> dict[str, re.Pattern[str]]:
        """Compiled rules searched inside longer texts.

        Returns
        -------
        dict
            Rule name to compiled pattern, bounded by anything but a letter or digit.
        """
        return {
            name: re.compile(rf"(?<![0-9A-Za-z])(?:{pattern})(?![0-9A-Za-z])")
            for name, pattern in self.identifier_values.items()
        }

    def is_small(self, count: float) -> bool:
        """Say whether a number of persons is too small to be printed.

        Parameters
        ----------
        count : float
            A number of persons.

        Returns
        -------
        bool
            True from 1 to ``min_count - 1``.

        Examples
        --------
        >>> policy = read_policy()
        >>> [policy.is_small(count) for count in (0, 1, 10, 11)]
        [False, True, True, False]
        """
        return 0 < count < self.min_count

    def for_protocol(self, protocol: Protocol | None) -> Policy:
        """Apply a study's own minimal count.

        Parameters
        ----------
        protocol : Protocol or None
            The study's protocol.

        Returns
        -------
        Policy
            This policy, with the protocol's minimal count.

        Raises
        ------
        ProtocolError
            If the protocol asks for less than the policy allows for its sources.
        """
        if protocol is None:
            return self
        alone = set(protocol.sources) <= set(self.bndmr_only_sources)
        lowest = min(self.min_count, self.bndmr_only_min_count) if alone else self.min_count
        if protocol.min_count < lowest:
            raise ProtocolError(
                f"min_count is {protocol.min_count} in the protocol",
                f"{lowest} or more for these sources (policy {self.name} {self.version})",
                f"write min_count: {self.min_count} in protocol.yml, or leave the line out",
            )
        return self.model_copy(update={"min_count": protocol.min_count})

    def summary(self) -> dict[str, Any]:
        """Give what the gate's record says of the rules applied.

        Returns
        -------
        dict
            Name, version and minimal count.
        """
        return {"name": self.name, "version": self.version, "min_count": self.min_count}


def read_policy(path: str | Path | None = None) -> Policy:
    """Read the rules of disclosure control.

    Parameters
    ----------
    path : path-like, optional
        A YAML file; the package's own rules by default.

    Returns
    -------
    Policy
        The checked rules.

    Raises
    ------
    ProtocolError
        If a field is missing, unknown or wrong; all faults at once.

    Examples
    --------
    >>> read_policy().min_count
    11
    """
    if path is None:
        own = resources.files("epi.disclosure").joinpath("policy.yml")
        content = yaml.safe_load(own.read_text(encoding="utf-8"))
    else:
        content = read_yaml(path)
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'policy'}: {fault['msg']}" for fault in error.errors()]
        raise ProtocolError(
            f"the disclosure policy has {len(faults)} fault(s)",
            "the fields of src/epi/disclosure/policy.yml",
            "correct them there",
            faults=faults,
        ) from error
