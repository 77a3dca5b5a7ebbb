"""What every model of ratios shares: what is published of it, its picture, how it prints."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from epi.survival.ratio_chart import RATIOS, draw_ratios, release_ratios

if TYPE_CHECKING:
    import pandas as pd

    from epi.plotting import Chart
    from epi.results import Release
    from epi.survival.data import SurvivalData
    from epi.survival.steps import Lang
    from epi.survival.terms import Terms


class RatioTable:
    """A fitted model whose terms have ratios."""

    table: pd.DataFrame
    tests: pd.DataFrame
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    data: SurvivalData
    terms: Terms

    def release(self, *, lang: Lang = "en", names: Mapping[str, str] | None = None) -> Release:
        """Say what would be published: ratios with the persons and events they come from.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of headings and notes.
        names : mapping, optional
            What covariates are called, by column.

        Returns
        -------
        Release
            A row for each number, and for each value of the others.

        Raises
        ------
        ParameterError
            If a name is of no covariate, or a ratio changes with time: no one number tells it.
        """
        self._check_constant()
        return release_ratios(self, lang, names)

    def chart(self, *, lang: Lang = "en", names: Mapping[str, str] | None = None) -> Chart:
        """Draw the forest plot of the ratios.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.
        names : mapping, optional
            What covariates are called, by column.

        Returns
        -------
        Chart
            The picture, drawn from what may be published.

        Raises
        ------
        ParameterError
            If a name is of no covariate, or a ratio changes with time.
        """
        self._check_constant()
        return draw_ratios(self, lang, names)

    def _check_constant(self) -> None:
        """Refuse ratios that no one number tells; here each is one number."""

    def _tables(self) -> Iterator[pd.DataFrame]:
        """Give what a notebook shows."""
        yield self.table

    def __str__(self) -> str:
        ratios = self.table[RATIOS[str(self.settings["model"])]]
        lines = [
            f"{row.term}: {ratio:.3f} ({row.ci_low:.3f} to {row.ci_high:.3f}), p = {row.p:.3g}"
            for row, ratio in zip(self.table.itertuples(index=False), ratios, strict=True)
        ]
        return "\n".join([str(self.settings["title"]), *lines, *self.notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        body = "".join(part.to_html(index=False, float_format="{:,.4g}".format) for part in self._tables())
        return f"<p>{html.escape(str(self.settings['title']))}</p>{body}{notes}"
