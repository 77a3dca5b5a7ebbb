"""Association of places and exposures with disease: incidence ratios, rates, exposure-wide screens."""

from __future__ import annotations

from epi.association.rates import Rates, estimate_rates
from epi.association.screen import Screen
from epi.association.screening import screen_exposures
from epi.association.sir import Sir, estimate_sir

__all__ = ["Rates", "Screen", "Sir", "estimate_rates", "estimate_sir", "screen_exposures"]
