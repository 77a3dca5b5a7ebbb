"""Clusters of correlated exposures: which ones cannot be told apart, and which one may stand for each cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from epi.errors import EstimationError, ParameterError
from epi.plotting import INK, MUTED, Chart, new_figure
from epi.results import Release

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Lang = Literal["fr", "en"]


_LINKAGES_FR = {"average": "lien moyen", "complete": "lien maximum", "single": "lien minimum"}


@dataclass(frozen=True)
class ExposureClusters:
    """Exposures put together by how closely they vary together.

    Parameters
    ----------
    table : pandas.DataFrame
        In the order of the tree: ``exposure``, ``label_en``, ``label_fr``, ``cluster`` (from 1), ``representative``
        (the exposure nearest, on average, to the others of its cluster), ``mean_abs_rho`` (with those others; missing
        when alone).
    correlation : pandas.DataFrame
        Spearman's rho of each pair, in the same order.
    tree : numpy.ndarray
        Linkage, as scipy gives it, over the exposures sorted by name.
    settings : mapping
        Distance, linkage, threshold, rows used.
    """

    table: pd.DataFrame
    correlation: pd.DataFrame
    tree: NDArray[np.float64]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def representatives(self) -> list[str]:
        """One exposure for each cluster, in the order of clusters."""
        rows = self.table[self.table["representative"]]
        return [str(name) for name in rows.sort_values("cluster")["exposure"]]

    def release(self, lang: Lang = "en") -> Release:
        """Say what would be published: correlations of exposures, which count nobody.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            The language.

        Returns
        -------
        Release
            One row for each exposure.
        """
        words = {"en": "Clusters of exposures", "fr": "Groupes d'expositions corrélées"}
        note = {
            "en": f"1 - |Spearman's rho|, {self.settings['linkage']} linkage, cut where |rho| = "
            f"{self.settings['minimum_rho']:g}.",
            "fr": f"1 - |rho de Spearman|, {_LINKAGES_FR[self.settings['linkage']]}, coupe à |rho| = "
            f"{self.settings['minimum_rho']:g}.".replace("0.", "0,"),
        }
        shown = self.table.drop(columns="label_en" if lang == "fr" else "label_fr")
        return Release(shown, title=words[lang], note=note[lang], not_counts=("cluster",))

    def chart_correlations(self, *, lang: Lang = "en") -> Chart:
        """Draw the tree beside the matrix of correlations.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            Dendrogram and heatmap, clusters framed.
        """
        if lang not in ("fr", "en"):
            raise ParameterError(f"lang is {lang!r}", "fr or en")
        names = list(self.correlation.index)
        labels = dict(zip(self.table["exposure"], self.table[f"label_{lang}"], strict=True))
        clusters = self.table["cluster"].tolist()
        square = self.correlation.rename_axis("exposure").reset_index()
        long = square.melt("exposure", var_name="other", value_name="rho")
        release = self.release(lang)
        tree, cut = self.tree, 1 - float(self.settings["minimum_rho"])

        def draw(shown: pd.DataFrame) -> Figure:
            matrix = shown.pivot_table(index="exposure", columns="other", values="rho").loc[names, names].to_numpy()
            return _draw(matrix, tree, cut, [labels[name] for name in names], clusters, release.title, lang)

        alt = {
            "en": f"Matrix of correlations of {len(names)} exposures, in {max(clusters)} clusters, with their tree.",
            "fr": f"Matrice des corrélations de {len(names)} expositions, en {max(clusters)} groupes, avec leur arbre.",
        }[lang]
        return Chart(Release(long, title=release.title, note=release.note, not_counts=("rho",)), draw, alt)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))


def cluster_exposures(
    data: Any,
    variables: Sequence[str] | None = None,
    *,
    minimum_rho: float = 0.7,
    linkage: Literal["average", "complete", "single"] = "average",
    weights: str | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> ExposureClusters:
    """Group exposures by hierarchical clustering on one minus the absolute value of Spearman's rho.

    Parameters
    ----------
    data : Enriched or pandas.DataFrame
        Members with exposures, or one row for each area.
    variables : sequence of str, optional
        Columns; those of the catalogue of `data` by default, every column of numbers but `weights` in a frame.
    minimum_rho : float, optional
        Exposures are in one cluster while the linkage of their |rho| is at least this, 0 to 1.
    linkage : {"average", "complete", "single"}, optional
        How clusters are compared.
    weights : str, optional
        Column of weights, such as the persons of an area: ranks are then mid-ranks of the weighted distribution and
        correlation is weighted.
    labels : mapping, optional
        Labels by variable, ``{"label_en": ..., "label_fr": ...}``; the catalogue's by default.

    Returns
    -------
    ExposureClusters
        Clusters numbered in the order of the tree. Rows where any of the variables is missing are left out.

    Raises
    ------
    EstimationError
        If fewer than three rows are complete, or an exposure is constant there.
    ParameterError
        If columns or options are wrong.

    Examples
    --------
    >>> areas = pd.DataFrame({"a": [1, 2, 3, 4], "b": [-2, -3, -5, -9], "c": [1, 4, 2, 3]})
    >>> found = cluster_exposures(areas)
    >>> found.table[["exposure", "cluster"]].values.tolist(), found.representatives
    ([['c', 1], ['b', 2], ['a', 2]], ['c', 'a'])
    """
    from scipy.cluster.hierarchy import fcluster, leaves_list, optimal_leaf_ordering
    from scipy.cluster.hierarchy import linkage as link
    from scipy.spatial.distance import squareform

    frame = data if isinstance(data, pd.DataFrame) else data.table
    known = {} if isinstance(data, pd.DataFrame) else data.variables
    if variables is None:
        numbers = [str(name) for name in frame.columns if frame[name].dtype.kind in "fiu" and name != weights]
        variables = list(known) or numbers
    names = sorted(dict.fromkeys(variables))
    _check(frame, names, minimum_rho, linkage, weights)
    wanted = frame[names].to_numpy(dtype=float, na_value=np.nan)
    weight = np.ones(len(frame)) if weights is None else frame[weights].to_numpy(dtype=float, na_value=np.nan)
    whole = ~np.isnan(wanted).any(axis=1) & (weight > 0)
    if whole.sum() < 3:
        raise EstimationError(f"{int(whole.sum())} row(s) have every exposure", "three or more", "fewer variables")
    rho = _spearman(wanted[whole], weight[whole], names)
    distance = np.clip(1 - np.abs(rho), 0, None)
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    tree = optimal_leaf_ordering(link(condensed, linkage), condensed)
    order = leaves_list(tree)
    # A hair above the cut: a pair at exactly the threshold is together whatever the rounding.
    raw = fcluster(tree, 1 - minimum_rho + 1e-9, criterion="distance")[order]
    number = {cluster: place + 1 for place, cluster in enumerate(dict.fromkeys(raw.tolist()))}
    cluster = np.array([number[value] for value in raw.tolist()])
    ordered = np.abs(rho[np.ix_(order, order)])
    mean = np.full(len(names), np.nan)
    chosen = np.zeros(len(names), dtype=bool)
    for value in range(1, cluster.max() + 1):
        rows = np.flatnonzero(cluster == value)
        if len(rows) > 1:
            mean[rows] = (ordered[np.ix_(rows, rows)].sum(axis=1) - 1) / (len(rows) - 1)
        # The first by name among equals.
        best = min(rows, key=lambda row: (-round(float(np.nan_to_num(mean[row])), 12), names[order[row]]))
        chosen[best] = True
    told = [dict((labels or {}).get(names[place]) or known.get(names[place]) or {}) for place in order]
    table = pd.DataFrame(
        {
            "exposure": [names[place] for place in order],
            "label_en": [about.get("label_en", names[place]) for about, place in zip(told, order, strict=True)],
            "label_fr": [about.get("label_fr", names[place]) for about, place in zip(told, order, strict=True)],
            "cluster": cluster,
            "representative": chosen,
            "mean_abs_rho": mean,
        }
    )
    labelled = [names[place] for place in order]
    settings = {"distance": "1 - |Spearman's rho|", "linkage": linkage, "minimum_rho": minimum_rho,
                "weights": weights, "rows": int(whole.sum()), "left_out": int((~whole).sum())}  # fmt: skip
    matrix = pd.DataFrame(rho[np.ix_(order, order)], index=labelled, columns=labelled)
    return ExposureClusters(table, matrix, tree, settings)


def _check(frame: pd.DataFrame, names: list[str], minimum_rho: float, linkage: str, weights: str | None) -> None:
    faults = [f"there is no column {name}" for name in names if name not in frame.columns]
    there = [name for name in names if name in frame.columns]
    faults += [f"{name} is not numbers" for name in there if frame[name].dtype.kind not in "fiu"]
    if len(names) < 2:
        faults.append("fewer than two exposures")
    if isinstance(minimum_rho, bool) or not 0 < minimum_rho <= 1:
        faults.append(f"minimum_rho is {minimum_rho!r}: above 0, at most 1")
    if linkage not in ("average", "complete", "single"):
        faults.append(f"linkage is {linkage!r}: average, complete or single")
    if weights is not None and (weights not in frame.columns or not (frame[weights].fillna(0) >= 0).all()):
        faults.append(f"weights {weights!r} are not there, or some are negative")
    if faults:
        raise ParameterError("exposures cannot be clustered", "two or more columns of numbers", faults=faults)


def _spearman(x: NDArray[np.float64], weight: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
    """Correlate weighted mid-ranks; with equal weights this is Spearman's coefficient, ties included."""
    # One order of rows, whatever order they came in, before floating sums.
    order = np.lexsort((weight, *x.T[::-1]))
    x, weight = x[order], weight[order]
    ranks = np.empty_like(x)
    for column in range(x.shape[1]):
        _, group = np.unique(x[:, column], return_inverse=True)
        mass = np.bincount(group, weights=weight)
        ranks[:, column] = (np.cumsum(mass) - mass / 2)[group]
    share = weight / weight.sum()
    centred = ranks - share @ ranks
    spread = np.sqrt(share @ centred**2)
    flat = [name for name, sd in zip(names, spread, strict=True) if not sd > 1e-9 * weight.sum()]
    if flat:
        raise EstimationError(f"{', '.join(flat)} has the same value everywhere", "exposures that vary")
    scaled = centred / spread
    rho = scaled.T @ (scaled * share[:, None])
    return np.clip((rho + rho.T) / 2, -1, 1)


def _draw(
    matrix: NDArray[np.float64], tree: NDArray[np.float64], cut: float, labels: list[str], clusters: list[int],
    title: str, lang: Lang,
) -> Figure:  # fmt: skip
    from matplotlib.patches import Rectangle
    from scipy.cluster.hierarchy import dendrogram

    count = len(labels)
    longest = max(len(label) for label in labels)
    side = 0.36 * count + 0.8
    figure = new_figure(min(2.0 + 0.07 * longest + side + 0.9, 12), side + 1.1)
    left, right = figure.subplots(1, 2, width_ratios=[1.5, side])
    branches = dendrogram(tree, no_plot=True)
    for height, place in zip(branches["dcoord"], branches["icoord"], strict=True):
        left.plot(height, place, color=MUTED, lw=1.4)
    left.axvline(cut, color=INK, lw=0.8, ls=":")
    left.set_xlim(max(float(tree[:, 2].max()), cut) * 1.03, 0)
    left.set_ylim(10 * count, 0)
    left.set_yticks([])
    left.spines[["left", "bottom"]].set_visible(False)
    left.set_xticks([0, cut], ["1", f"{1 - cut:g}".replace(".", "," if lang == "fr" else ".")])
    left.set_xlabel("|rho|")
    image = right.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for row in range(count):
        for column in range(count):
            value = matrix[row, column]
            text = f"{value:.1f}".replace("-0.0", "0.0").replace("-", "−").replace(".", "," if lang == "fr" else ".")
            right.text(column, row, text, ha="center", va="center", fontsize=7.5,
                       color="white" if abs(value) > 0.6 else INK)  # fmt: skip
    for cluster in sorted(set(clusters)):
        rows = [row for row, own in enumerate(clusters) if own == cluster]
        right.add_patch(
            Rectangle((rows[0] - 0.5, rows[0] - 0.5), len(rows), len(rows), fill=False, lw=1.6, edgecolor=INK, zorder=3)
        )
    right.yaxis.tick_right()
    right.set_yticks(range(count), labels)
    right.set_xticks([])
    right.tick_params(length=0)
    right.spines[["left", "bottom"]].set_visible(False)
    bar = figure.colorbar(image, ax=[left, right], orientation="horizontal", shrink=0.4, aspect=40, pad=0.02)
    bar.set_ticks([-1, -0.5, 0, 0.5, 1])
    bar.set_label({"en": "Spearman's rho", "fr": "rho de Spearman"}[lang])
    bar.outline.set_visible(False)
    if lang == "fr":
        bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:.1f}".replace("-", "−").replace(".", ","))
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure
