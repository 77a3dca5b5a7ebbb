"""What is believed to cause what, and what must be adjusted for if it is true."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, Literal

from epi.errors import ParameterError
from epi.stats import graphs

if TYPE_CHECKING:
    import pandas as pd

    from epi.association.sir import Lang
    from epi.plotting import Chart

Effect = Literal["total", "direct"]


@dataclass(frozen=True)
class AdjustmentCheck:
    """Whether a set of adjusters leaves the effect alone, and why not.

    Parameters
    ----------
    valid : bool
        Whether it does, if the graph is true.
    faults : tuple of str
        Each reason why not.
    """

    valid: bool
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "sufficient" if self.valid else "not sufficient: " + "; ".join(self.faults)


@dataclass(frozen=True)
class Dag:
    """A directed acyclic graph of causes, from :func:`read_dag`.

    Parameters
    ----------
    children : mapping
        What each node is a cause of.
    unmeasured : frozenset of str
        Nodes that no data tell of.
    labels : mapping
        English and French name of each node.
    """

    children: Mapping[str, frozenset[str]]
    unmeasured: frozenset[str] = frozenset()
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, sorted."""
        return tuple(sorted(self.children))

    @property
    def arrows(self) -> tuple[tuple[str, str], ...]:
        """Cause and effect of each arrow, sorted."""
        return tuple(sorted((one, other) for one in self.children for other in self.children[one]))

    def adjustment_sets(self, exposure: str, outcome: str, *, effect: Effect = "total") -> list[tuple[str, ...]]:
        """List the minimal sets of measured nodes whose adjustment leaves the effect alone.

        Parameters
        ----------
        exposure, outcome : str
            The two nodes.
        effect : {"total", "direct"}, optional
            The whole effect, or what passes through no other node of the graph.

        Returns
        -------
        list of tuple of str
            The smallest first; empty when no measured set will do, one empty set when none is needed.

        Raises
        ------
        ParameterError
            If a node is unknown or `effect` is.
        """
        direct = self._direct(effect, exposure, outcome)
        measured = frozenset(self.children) - self.unmeasured
        found = graphs.list_adjustment_sets(self.children, exposure, outcome, measured, direct=direct)
        return [tuple(sorted(names)) for names in found]

    def check_adjustment(
        self, exposure: str, outcome: str, adjust: Iterable[str], *, effect: Effect = "total"
    ) -> AdjustmentCheck:
        """Check a set of adjusters, minimal or not.

        Parameters
        ----------
        exposure, outcome : str
            The two nodes.
        adjust : iterable of str
            The adjusters.
        effect : {"total", "direct"}, optional
            Which effect.

        Returns
        -------
        AdjustmentCheck
            Whether it leaves the effect alone; if not, what may not be adjusted for and a path that stays open.

        Raises
        ------
        ParameterError
            If a node is unknown or `effect` is.
        """
        direct = self._direct(effect, exposure, outcome)
        held = frozenset(adjust)
        self._know(*held)
        faults = [f"{name} is not measured" for name in sorted(held & self.unmeasured)]
        wrong = held & graphs.forbidden_nodes(self.children, exposure, outcome, direct=direct)
        faults += [f"{name} is on the way from {exposure} to {outcome}, or follows it" for name in sorted(wrong)]
        cut = graphs.back_door_graph(self.children, exposure, outcome, direct=direct)
        path = graphs.open_path(cut, exposure, outcome, held)
        if path:
            faults.append(f"a path stays open: {self._write(path)}")
        return AdjustmentCheck(not faults, tuple(faults))

    def implied_independencies(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """List what the graph says must be independent in the data: its claims that data can refute.

        Returns
        -------
        list of (str, str, tuple of str)
            Two measured nodes, and the smallest set of measured ones given which they are independent.
        """
        measured = [name for name in self.nodes if name not in self.unmeasured]
        found = []
        for one, other in combinations(measured, 2):
            near = graphs.moralise(self.children, graphs.reach(graphs.reverse(self.children), [one, other]))
            apart = graphs.list_separators(near, one, other, frozenset(measured) - {one, other})
            if apart:
                found.append((one, other, tuple(sorted(apart[0]))))
        return found

    def label(self, name: str, lang: Lang = "en") -> str:
        """Give the printed name of a node.

        Parameters
        ----------
        name : str
            The node.
        lang : {"fr", "en"}, optional
            Language.

        Returns
        -------
        str
            Its label; the name, without underscores, where there is none.
        """
        return self.labels[name][lang == "fr"] if name in self.labels else name.replace("_", " ")

    def table(self, lang: Lang = "en") -> pd.DataFrame:
        """List the arrows.

        Parameters
        ----------
        lang : {"fr", "en"}, optional
            Language of the labels.

        Returns
        -------
        pandas.DataFrame
            `cause` and `effect`, one row for each arrow.
        """
        import pandas as pd

        rows = [(self.label(one, lang), self.label(other, lang)) for one, other in self.arrows]
        return pd.DataFrame(rows, columns=["cause", "effect"])

    def chart(self, exposure: str, outcome: str, adjust: Iterable[str] = (), *, lang: Lang = "en") -> Chart:
        """Draw the graph, with what is adjusted for.

        Parameters
        ----------
        exposure, outcome : str
            The two nodes of the question.
        adjust : iterable of str, optional
            The adjusters.
        lang : {"fr", "en"}, optional
            Language of the picture.

        Returns
        -------
        Chart
            Causes at the left, effects at the right; what is not measured is dashed.
        """
        from epi.association.dag_chart import draw_dag

        held = tuple(sorted(set(adjust)))
        self._know(exposure, outcome, *held)
        return draw_dag(self, exposure, outcome, held, lang)

    def __str__(self) -> str:
        return "; ".join(f"{one} -> {other}" for one, other in self.arrows)

    def _direct(self, effect: str, exposure: str, outcome: str) -> bool:
        if effect not in ("total", "direct"):
            raise ParameterError(f"effect is {effect!r}", "total or direct")
        self._know(exposure, outcome)
        if exposure == outcome:
            raise ParameterError("exposure and outcome are the same node", "two nodes")
        return effect == "direct"

    def _know(self, *names: str) -> None:
        unknown = sorted(set(names) - set(self.children))
        if unknown:
            raise ParameterError(f"{', '.join(map(repr, unknown))} is no node of the graph", ", ".join(self.nodes))

    def _write(self, path: list[str]) -> str:
        words = [path[0]]
        for one, other in pairwise(path):
            words += ["->" if other in self.children[one] else "<-", other]
        return " ".join(words)


def read_dag(
    arrows: Iterable[str] | Mapping[str, Iterable[str]],
    *,
    unmeasured: Iterable[str] = (),
    labels: Mapping[str, Any] | None = None,
) -> Dag:
    """Read a graph of causes.

    Parameters
    ----------
    arrows : iterable of str or mapping
        Chains such as ``"smoking -> tar -> cancer"``, or the effects of each cause.
    unmeasured : iterable of str, optional
        Nodes that no data tell of.
    labels : mapping, optional
        English and French name of nodes, as two texts.

    Returns
    -------
    Dag
        The graph.

    Raises
    ------
    ParameterError
        If it has a circle, an arrow cannot be read, or a name is unknown; all faults at once.

    Examples
    --------
    >>> dag = read_dag(["density -> exposure -> disease", "density -> disease"])
    >>> dag.adjustment_sets("exposure", "disease")
    [('density',)]
    >>> print(dag.check_adjustment("exposure", "disease", []))
    not sufficient: a path stays open: exposure <- density -> disease
    """
    faults: list[str] = []
    children: dict[str, set[str]] = {}
    if isinstance(arrows, Mapping):
        chains = [[str(cause), str(effect)] for cause, effects in arrows.items() for effect in effects]
    elif isinstance(arrows, str):
        raise ParameterError(f"arrows are {arrows!r}", "a list of chains, or a mapping", '["a -> b", "b -> c"]')
    else:
        chains = [[name.strip() for name in str(words).split("->")] for words in arrows]
        faults += [f"{words!r} is no arrow" for words in arrows if "->" not in str(words)]
    for chain in chains:
        if not all(chain):
            faults.append(f"{' -> '.join(chain)!r} has an arrow without a name")
        for name in chain:
            children.setdefault(name, set())
        for one, other in pairwise(chain):
            children[one].add(other)
    graph = {name: frozenset(found) for name, found in children.items()}
    hidden, told = frozenset(map(str, unmeasured)), dict(labels or {})
    faults += [f"unmeasured {name!r} is no node" for name in sorted(hidden - set(graph))]
    faults += [f"label of {name!r}, which is no node" for name in sorted(set(told) - set(graph))]
    faults += [f"label of {name!r} is not two texts" for name in sorted(told) if len(tuple(told[name])) != 2]
    circle = graphs.find_cycle(graph)
    if circle:
        faults.append(f"a circle: {' -> '.join(circle)}")
    if faults or not graph:
        raise ParameterError("this graph cannot be read", "arrows from causes to effects, no circle", faults=faults)
    return Dag(graph, hidden, {name: (str(told[name][0]), str(told[name][1])) for name in told})
