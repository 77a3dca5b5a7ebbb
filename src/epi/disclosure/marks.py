"""The gate's mark on what a notebook shows, and how a renderer checks it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

_SHOWN = frozenset({"display_data", "execute_result"})


def payload_digest(data: Mapping[str, Any]) -> str:
    """Digest what a notebook cell shows.

    Parameters
    ----------
    data : mapping
        MIME type to content: the ``data`` of a notebook output, every type included.

    Returns
    -------
    str
        64 hexadecimal characters, the same whether texts are whole or cut in lines, as
        notebook files hold them.

    Examples
    --------
    >>> payload_digest({"text/html": "<p>1</p>"}) == payload_digest({"text/html": ["<p>", "1</p>"]})
    True
    """
    whole = {
        str(mime): "".join(content)
        if isinstance(content, list | tuple) and all(isinstance(part, str) for part in content)
        else content
        for mime, content in data.items()
    }
    text = json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def verify_cell_output(output: Mapping[str, Any], gate_lines: Iterable[Mapping[str, Any]]) -> bool:
    """Say whether a notebook cell's output came through the gate of this run, unchanged.

    Parameters
    ----------
    output : mapping
        A notebook output node.
    gate_lines : iterable of mapping
        The run's record, from :func:`epi.disclosure.ledger.read_gate`.

    Returns
    -------
    bool
        True if its payload's digest is its mark's, and the record holds that mark as released.

    Notes
    -----
    The whole payload is digested. Metadata is not: a renderer must use none but the mark.
    """
    return find_gate_line(output, gate_lines) is not None


def find_gate_line(output: Mapping[str, Any], gate_lines: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Find the record of what a notebook cell shows.

    Parameters
    ----------
    output : mapping
        A notebook output node.
    gate_lines : iterable of mapping
        The run's record.

    Returns
    -------
    mapping or None
        The line (its ``name``, ``kind`` and ``level`` say who may read it), or None when the
        output did not come through the gate.
    """
    if output.get("output_type") not in _SHOWN:
        return None
    metadata, data = output.get("metadata"), output.get("data")
    mark = metadata.get("epi") if isinstance(metadata, Mapping) else None
    if not isinstance(mark, Mapping) or not isinstance(data, Mapping) or not data:
        return None
    name, digest = mark.get("output"), mark.get("sha256")
    if not isinstance(name, str) or not isinstance(digest, str) or payload_digest(data) != digest:
        return None
    for line in gate_lines:
        if line.get("name") == name and line.get("sha256") == digest and line.get("verdict") == "released":
            return line
    return None


def make_mark(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Make the metadata of a marked notebook output.

    Parameters
    ----------
    name : str
        The output's name.
    data : mapping
        MIME type to content.

    Returns
    -------
    dict
        ``{"epi": {"output": name, "sha256": digest}}``.
    """
    return {"epi": {"output": name, "sha256": payload_digest(data)}}


def show(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Show a payload in the notebook, if there is one.

    Parameters
    ----------
    data : mapping
        MIME type to content.
    metadata : mapping
        The mark.

    Returns
    -------
    bool
        True if something displays it.
    """
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return False
    display(dict(data), metadata=dict(metadata), raw=True)
    return True
