"""What all curves by group share: where they may start, what is published of them, their picture, how they print."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from epi.survival.risk_sets import find_start

if TYPE_CHECKING:
    import pandas as pd

    from epi.plotting import Chart
    from epi.results import Release
    from epi.survival.data import SurvivalData
    from epi.survival.steps import Lang, Unit


class CurveTable:
    """Curves by group, as a table of days."""

    kind: ClassVar[str] = ""
    table: pd.DataFrame
    settings: Mapping[str, Any]
    data: SurvivalData

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, in order."""
        return tuple(self.settings["groups"])

    def release(self, *, min_count: int | None = None, years: float | None = None) -> Release:
        """Say what would be published: the curves at times far enough apart that no interval tells of few persons.

        Parameters
        ----------
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the times asked for; found from the length of follow-up by default.

        Returns
        -------
        Release
            By group and time: persons at risk after it, events, entries and ends without event since the time before,
            what the curves say and their limits, four decimals.

        Raises
        ------
        DisclosureError
            If no time will do.
        """
        return self._release(min_count, years)

    def chart(self, *, lang: Lang = "en", min_count: int | None = None, years: float | None = None) -> Chart:
        """Draw the curves with their limits, numbers at risk beneath.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.
        min_count : int, optional
            Fewest persons an interval between two times may tell of; the policy's by default.
        years : float, optional
            Distance of the round times; found from the length of follow-up by default.

        Returns
        -------
        Chart
            The picture, drawn from what may be published.
        """
        return self._draw(lang, min_count, years)

    def _release(self, min_count: int | None, years: float | None) -> Release:
        raise NotImplementedError

    def _draw(self, lang: Lang, min_count: int | None, years: float | None) -> Chart:
        from epi.survival.curve_chart import draw_curves

        return draw_curves(self, self.kind, lang, min_count, years)

    def _repr_html_(self) -> str:
        body = self.table.to_html(index=False, max_rows=20, float_format="{:,.4f}".format, na_rep="–")
        return f"<p>{html.escape(str(self))}</p>{body}"


class StartedCurves(CurveTable):
    """Curves that may start at a time which enough persons have reached."""

    def conditional(self, on: float | None = None, *, minimal: int = 20, unit: Unit = "days") -> Self:
        """Start the curves at a time a that enough persons have reached without event.

        With delayed entry the first risk sets are small: one death among few takes the whole curve down for ever. From
        a common start with enough persons at risk, groups can be compared.

        Parameters
        ----------
        on : float, optional
            Time a; the first whole month at which every group has ``minimal`` persons at risk, by default.
        minimal : int, optional
            Persons at risk that each group needs just after a.
        unit : {"days", "years"}, optional
            Unit of ``on``.

        Returns
        -------
        CurveTable
            Curves of the same kind among those without event at a: 1 there, or 0 where they rise, with the variance of
            what follows. Weights of net survival still rest on expected survival since the origin.

        Raises
        ------
        EstimationError
            If a group has fewer persons at risk at a, if no time suits all groups, or if the risk set of a group
            empties and fills again after a.
        """
        day, inside = find_start(self.data, self.settings["by"], on, minimal, unit)
        return cast("Self", self._start(inside, day))

    def _start(self, inside: SurvivalData, day: int) -> StartedCurves:
        """Estimate the same of the follow-up after a day."""
        raise NotImplementedError
