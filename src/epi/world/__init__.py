"""A synthetic France on real communes, with its rare-disease registry and the truth beside."""

from __future__ import annotations

from epi.world.build import World, build_world
from epi.world.territory import Territory, choose_territory

__all__ = ["Territory", "World", "build_world", "choose_territory"]
