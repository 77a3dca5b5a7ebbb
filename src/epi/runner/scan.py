"""What a study's own text must not hold: identifiers written into code, a parameter or a sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

_CITED = re.compile(r"https?://\S+|\b10\.\d{4,}/\S+")
_CODED = "coded identifier"


def find_identifier_shapes(text: str) -> list[str]:
    """Name the kinds of identifier that a text of a study holds.

    The limits of a study period are no one's date, and an article's address or DOI may have the
    form of a coded identifier: neither is counted.

    Parameters
    ----------
    text : str
        The source of a cell, a parameter, a sentence.

    Returns
    -------
    list of str
        Rules of the disclosure policy; empty when there is none.

    Examples
    --------
    >>> find_identifier_shapes("x = '000220f8521ab4e1'")
    ['digest']
    >>> find_identifier_shapes("since = '2015-01-01'  # doi 10.1038/s41598-020-12345-6, ORPHA:803")
    []
    """
    from epi.disclosure.identifiers import find_identifiers
    from epi.disclosure.policy import read_policy

    policy = read_policy()
    # The default is for a policy that has no such list.
    periods = set(getattr(policy, "period_values", ("exact date",)))
    found = [rule for rule in find_identifiers(text, policy) if rule not in periods]
    if _CODED in found and _CODED not in find_identifiers(_CITED.sub(" ", text), policy):
        found.remove(_CODED)
    return found


def private_faults(cells: list[dict[str, Any]]) -> Iterator[str]:
    """Say where a notebook would show a person: an identifier in a cell, one patient's path.

    Parameters
    ----------
    cells : list of dict
        The notebook's cells.

    Yields
    ------
    str
        A fault, with the number of its cell and never the text.
    """
    for number, cell in enumerate(cells, 1):
        rules = find_identifier_shapes(cell["source"])
        if rules:
            yield f"cell {number} holds what is shaped like: {', '.join(rules)}; no patient may be named in a study"
        if cell["cell_type"] != "code":
            continue
        try:
            tree = ast.parse(cell["source"])
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr == "explain":
                yield f"cell {number}, line {node.lineno}, calls explain; one patient's path is for the screen only"
