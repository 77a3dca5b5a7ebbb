"""Official formats in, tidy tables out: one package for each source."""

from __future__ import annotations
