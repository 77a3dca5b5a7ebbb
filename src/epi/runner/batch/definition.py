"""What a batch file asks for: jobs, each checked before any of them starts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from epi.errors import EpiError, ParameterError
from epi.files import digest_text, dump_json, read_yaml
from epi.runner.inspection import plain_value
from epi.runner.study import NAME, Study, open_study

MOST_JOBS = 10_000
Plain = str | int | float | bool | list[str] | list[int] | list[float] | None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    study: str
    presets: list[str] = Field(default_factory=list)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    jobs: list[dict[str, Any]] = Field(default_factory=list)
    fixed: dict[str, Any] = Field(default_factory=dict)
    compare: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class Job:
    """One run of a batch.

    Parameters
    ----------
    key : str
        A digest of its parameters: the same job in every version of the batch file.
    preset : str or None
        A preset of the study.
    given : mapping
        Parameters that go before the preset's.
    """

    key: str
    preset: str | None
    given: Mapping[str, Any]

    @property
    def label(self) -> str:
        """What tells it from the others, in a few words."""
        parts = [self.preset] if self.preset else []
        parts += [f"{name}={plain_value(value)}" for name, value in self.given.items()]
        return ", ".join(map(str, parts)) or "as the protocol says"


@dataclass(frozen=True)
class Batch:
    """The runs that a batch file asks for.

    Parameters
    ----------
    name : str
        The file's name, without its extension.
    study : Study
        The study.
    jobs : tuple of Job
        In the order of the file, none twice.
    compare : tuple of str
        Results to set side by side.
    """

    name: str
    study: Study
    jobs: tuple[Job, ...]
    compare: tuple[str, ...]


def read_batch(path: str | os.PathLike[str], studies: str | os.PathLike[str] | None = None) -> Batch:
    """Read a batch file and check every job of it.

    Parameters
    ----------
    path : path-like
        A YAML file: ``study``; ``presets``, crossed with ``grid`` (names and lists of values, all
        combinations); ``jobs`` (parameters, with ``preset`` where there is one); ``fixed``
        (parameters of all); ``compare`` (names of results).
    studies : path-like, optional
        Folder that holds the studies.

    Returns
    -------
    Batch
        Its jobs.

    Raises
    ------
    ParameterError
        If the file is not a batch, or a job's parameters are not the study's; all faults at once.
    ProtocolError
        If the study is not what its protocol says.
    """
    place = Path(path)
    if not place.is_file():
        raise ParameterError(f"there is no batch file {place}", "a YAML file", "see docs/batches.md")
    name = place.stem.replace("-", "_").lower()
    if not NAME.match(name):
        raise ParameterError(f"{place.name} cannot name a batch", "a file name of letters, digits, - and _")
    try:
        asked = _File.model_validate(read_yaml(place) or {})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}" for fault in error.errors()]
        raise ParameterError(
            f"{place.name} is not a batch",
            "study, presets, grid, jobs, fixed, compare",
            "see docs/batches.md",
            faults=faults,
        ) from None
    study = open_study(asked.study, studies)
    study.check_runnable()
    jobs: dict[str, Job] = {}
    faults = []
    for number, (preset, given) in enumerate(_combinations(asked), 1):
        if number > MOST_JOBS:
            raise ParameterError(f"{place.name} asks for more than {MOST_JOBS:,} jobs", "fewer", "split the batch")
        try:
            values = study.resolve(given, preset)
        except EpiError as error:
            told = [error.arrived, *error.faults]
            faults += [f"job {number}: {words}" for words in told if words]
            continue
        key = digest_text(dump_json({name: plain_value(value) for name, value in values.items()}))[:12]
        jobs.setdefault(key, Job(key, preset, given))
    if faults:
        raise ParameterError(
            f"{place.name} has {len(faults)} fault(s); nothing was started",
            do=f"epi run {study.name} --help-parameters",
            faults=faults[:50],
        )
    return Batch(name, study, tuple(jobs.values()), tuple(asked.compare or study.protocol.highlights))


def _combinations(asked: _File) -> Iterator[tuple[str | None, dict[str, Any]]]:
    crossed = bool(asked.presets or asked.grid) or not asked.jobs
    presets: list[str | None] = [*asked.presets] or [None]
    for preset in presets if crossed else []:
        for values in itertools.product(*asked.grid.values()):
            yield preset, {**asked.fixed, **dict(zip(asked.grid, values, strict=True))}
    for job in asked.jobs:
        given = dict(job)
        preset = given.pop("preset", None)
        yield (None if preset is None else str(preset)), {**asked.fixed, **given}
