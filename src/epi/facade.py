"""What a notebook opens first: the workspace, with the verbs of the rooms above hung on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epi.workspace import Workspace


def open_workspace(path: Any = None, **options: Any) -> Workspace:
    """Open data for a study; see :func:`epi.workspace.open_workspace`.

    Parameters
    ----------
    path : path-like, optional
        The workspace; by default the one the study runs on.
    **options : object
        ``protocol``, ``opposition``, ``extraction_date``.

    Returns
    -------
    Workspace
        The data, opposed patients left out, with ``cohort`` and the other verbs.
    """
    import epi.cohort
    import epi.exposure  # noqa: F401
    from epi.workspace import open_workspace as open_

    return open_(path, **options)
