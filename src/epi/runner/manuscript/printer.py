"""One filling under way: placeholders printed, faults gathered, everything remembered."""

from __future__ import annotations

from dataclasses import dataclass, field

from epi.errors import EpiError, ParameterError
from epi.runner.export.bundle import Bundle, Output
from epi.runner.manuscript.placeholder import Placeholder, read_placeholder
from epi.runner.manuscript.record import Record, make_record
from epi.runner.manuscript.values import Values, read_values
from epi.runner.manuscript.wording import print_value


@dataclass
class Printer:
    """Prints the placeholders of one text.

    Parameters
    ----------
    values : Values
        What may be named.
    lang : {"en", "fr"}
        Language of numbers.
    filled, digests : dict
        What was printed so far, and files placed.
    faults : list of str
        What could not be.
    """

    values: Values
    lang: str
    filled: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, bundle: Bundle, lang: str) -> Printer:
        """Open a printer on a run.

        Parameters
        ----------
        bundle : Bundle
            What may leave of it.
        lang : {"en", "fr"}
            Language of numbers.

        Returns
        -------
        Printer
            Ready.
        """
        return cls(read_values(bundle, lang), lang)

    def read(self, text: str) -> Placeholder | None:
        """Read a placeholder; a fault is kept for the end.

        Parameters
        ----------
        text : str
            What stands between braces.

        Returns
        -------
        Placeholder or None
            None when it is none.
        """
        try:
            return read_placeholder(text)
        except ParameterError as error:
            self.fault(error)
            return None

    def print(self, asked: Placeholder) -> str | None:
        """Print a value; a fault is kept for the end.

        Parameters
        ----------
        asked : Placeholder
            A placeholder of a value.

        Returns
        -------
        str or None
            The text, on one line.
        """
        try:
            text = " ".join(print_value(self.values.find(asked.name), asked, self.lang).splitlines())
        except ParameterError as error:
            self.fault(error)
            return None
        self.filled[asked.key] = text
        return text

    def output(self, asked: Placeholder) -> Output | None:
        """Find a figure or a table; a fault is kept for the end.

        Parameters
        ----------
        asked : Placeholder
            A placeholder of a figure or a table.

        Returns
        -------
        Output or None
            The released output.
        """
        try:
            return self.values.output(asked.name, asked.kind)
        except ParameterError as error:
            self.fault(error)
            return None

    def fault(self, error: EpiError | str) -> None:
        """Keep a fault, once.

        Parameters
        ----------
        error : EpiError or str
            What is wrong.
        """
        text = error if isinstance(error, str) else error.sentence
        if text not in self.faults:
            self.faults.append(text)

    def settle(self) -> Record:
        """End the filling.

        Returns
        -------
        Record
            What to remember.

        Raises
        ------
        ParameterError
            If anything could not be filled; all faults at once.
        """
        if self.faults:
            raise ParameterError(
                f"{len(self.faults)} fault(s) in the manuscript: nothing was written",
                "placeholders such as {{ n_cases | count }}",
                "list the names: epi manuscript names --run STUDY",
                faults=self.faults,
            )
        return make_record(self.values.bundle, self.lang, self.filled, self.digests)
