"""Every error a user can meet: what arrived, what was expected, what to do next.

Each class has its own exit code, so that a batch system can tell a typo from a full disk.
A message never carries a patient's value: it counts, it names columns, rules and files.
"""

from __future__ import annotations

from collections.abc import Sequence


class EpiError(Exception):
    """A fault that the user can act upon.

    Parameters
    ----------
    arrived : str
        What was found, in one sentence.
    expected : str, optional
        What should have been there.
    do : str, optional
        What to type or change next.
    faults : sequence of str, optional
        All faults found, when there are several: they are reported at once.

    Examples
    --------
    >>> print(EpiError("'lag_year' is unknown", "lag_years (0 to 20)", "see: epi run --help"))
    'lag_year' is unknown. Expected: lag_years (0 to 20). Next: see: epi run --help
    """

    exit_code = 1

    def __init__(self, arrived: str, expected: str = "", do: str = "", *, faults: Sequence[str] = ()) -> None:
        self.arrived = arrived.rstrip(".")
        self.expected = expected.rstrip(".")
        self.do = do
        self.faults = tuple(faults)
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """The whole message: one sentence, then one line for each fault."""
        parts = [self.arrived + "."]
        if self.expected:
            parts.append(f"Expected: {self.expected}.")
        if self.do:
            parts.append(f"Next: {self.do}")
        return "\n".join([" ".join(parts), *(f"  - {fault}" for fault in self.faults)])


class ParameterError(EpiError):
    """A parameter or an argument is unknown, of the wrong type or out of bounds."""

    exit_code = 2


class DataError(EpiError):
    """A file or a table is not what its schema says."""

    exit_code = 3


class ProtocolError(EpiError):
    """A protocol is malformed, or something asks for more than it grants."""

    exit_code = 4


class WorkspaceError(EpiError):
    """A folder or a file is not a workspace."""

    exit_code = 5


class CohortError(EpiError):
    """A cohort definition is ambiguous, impossible or selects nobody."""

    exit_code = 6


class DisclosureError(EpiError):
    """An output cannot leave as it is."""

    exit_code = 7


class RunError(EpiError):
    """A study failed while running: the notebook, the cell and the cause are named."""

    exit_code = 8


class StorageError(EpiError):
    """Writing failed: the disk is full, or the folder cannot be written."""

    exit_code = 9


class GeographyError(EpiError):
    """A territory code cannot be placed, or coordinates are not what they claim."""

    exit_code = 10


class CodeError(EpiError):
    """A medical code does not exist in the nomenclature version in use."""

    exit_code = 11


class EstimationError(EpiError):
    """A model cannot be fitted as asked: separation, collinearity, too few cases."""

    exit_code = 12
