"""One entity of the nomenclature, and what a recorded code stands for today."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ACTIVE = "active"

Level = Literal["group", "disorder", "subtype"]
Status = Literal["active", "obsolete", "deprecated", "non_rare_in_europe"]
Lang = Literal["en", "fr"]


@dataclass(frozen=True)
class Entity:
    """One entity of the nomenclature.

    Parameters
    ----------
    orpha_code : int
        Its code.
    label_en, label_fr : str
        Labels; the French one is empty for codes created since 2022.
    status : {"active", "obsolete", "deprecated", "non_rare_in_europe"}
        Whether it is in use.
    level : {"group", "disorder", "subtype"}
        Its classification level.
    disorder_type : str
        Orphanet's type (disease, malformation syndrome, clinical subtype...).
    moved_to : int or None
        The one code that replaces it.
    referred_to : tuple of int
        Codes it may correspond to, none of which can be chosen automatically.
    """

    orpha_code: int
    label_en: str
    label_fr: str
    status: Status
    level: Level
    disorder_type: str
    moved_to: int | None
    referred_to: tuple[int, ...]

    @property
    def is_active(self) -> bool:
        """Whether the code is in use."""
        return self.status == ACTIVE


@dataclass(frozen=True)
class Resolution:
    """What a recorded code stands for today.

    Parameters
    ----------
    code : int
        The code as recorded.
    current : int
        The code to use: its replacement when it moved, itself otherwise.
    kind : {"active", "moved", "referred", "inactive"}
        ``referred`` has candidates and no automatic choice; ``inactive`` has neither. Both keep
        the recorded code and are to be looked at.
    candidates : tuple of int
        Codes a person may choose from.
    version : str
        The nomenclature version that says so.
    """

    code: int
    current: int
    kind: Literal["active", "moved", "referred", "inactive"]
    candidates: tuple[int, ...]
    version: str

    @property
    def is_flagged(self) -> bool:
        """Whether a person has to look at the code."""
        return self.kind in {"referred", "inactive"}
