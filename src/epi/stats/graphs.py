"""Directed acyclic graphs: d-separation, minimal separators, adjustment sets. Names only, no data.

Pearl, Causality, 2009; adjustment criterion and minimal sets: van der Zander, Liskiewicz and Textor, Artif Intell
2019;270:1 (the algorithms of dagitty); listing of minimal separators: Shen and Liang, Theor Comput Sci 1997;180:169.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

Graph = Mapping[str, frozenset[str]]
"""Children of each node, or neighbours in an undirected graph."""
MOST_SETS = 1000
"""As many minimal sets are listed; a graph with more says nothing that anybody reads."""


def reverse(graph: Graph) -> dict[str, frozenset[str]]:
    """Turn every arrow round: the parents of each node.

    Parameters
    ----------
    graph : mapping
        Children of each node.

    Returns
    -------
    dict
        Parents of each node.

    Examples
    --------
    >>> reverse({"a": frozenset("b"), "b": frozenset()})["b"]
    frozenset({'a'})
    """
    return {name: frozenset(parent for parent in graph if name in graph[parent]) for name in graph}


def reach(graph: Graph, starts: Iterable[str]) -> frozenset[str]:
    """Follow arrows from some nodes: they and all their descendants.

    Parameters
    ----------
    graph : mapping
        Children of each node (or parents, for ancestors).
    starts : iterable of str
        Where to begin.

    Returns
    -------
    frozenset of str
        What is reached, the starts included.

    Examples
    --------
    >>> sorted(reach({"a": frozenset("b"), "b": frozenset("c"), "c": frozenset()}, ["b"]))
    ['b', 'c']
    """
    seen, left = set(starts), list(starts)
    while left:
        for name in graph[left.pop()]:
            if name not in seen:
                seen.add(name)
                left.append(name)
    return frozenset(seen)


def find_cycle(graph: Graph) -> list[str]:
    """Find a circle of arrows.

    Parameters
    ----------
    graph : mapping
        Children of each node.

    Returns
    -------
    list of str
        Nodes on a circle in order, the first one again at the end; empty when there is none.

    Examples
    --------
    >>> find_cycle({"a": frozenset("b"), "b": frozenset("a")})
    ['a', 'b', 'a']
    """
    for start in sorted(graph):
        came: dict[str, str] = {}
        left = [start]
        while left:
            node = left.pop()
            for name in sorted(graph[node]):
                if name == start:
                    path = [node]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    return [*reversed(path), start]
                if name not in came:
                    came[name] = node
                    left.append(name)
    return []


def moralise(graph: Graph, nodes: frozenset[str]) -> dict[str, frozenset[str]]:
    """Join the parents of each child and forget directions, among some nodes.

    Parameters
    ----------
    graph : mapping
        Children of each node.
    nodes : frozenset of str
        An ancestral set: with the parents of each of its nodes.

    Returns
    -------
    dict
        Neighbours of each of these nodes.
    """
    near: dict[str, set[str]] = {name: set() for name in nodes}
    parents = reverse(graph)
    for child in nodes:
        family = [child, *sorted(parents[child] & nodes)]
        for one, other in combinations(family, 2):
            near[one].add(other)
            near[other].add(one)
    return {name: frozenset(found) for name, found in near.items()}


def is_separated(graph: Graph, one: str, other: str, given: Iterable[str]) -> bool:
    """Tell whether two nodes are d-separated by others.

    Parameters
    ----------
    graph : mapping
        Children of each node.
    one, other : str
        The two nodes.
    given : iterable of str
        Nodes that are held.

    Returns
    -------
    bool
        Whether every path between them is blocked.

    Examples
    --------
    >>> graph = {"a": frozenset("c"), "b": frozenset("c"), "c": frozenset()}
    >>> is_separated(graph, "a", "b", []), is_separated(graph, "a", "b", ["c"])
    (True, False)
    """
    held = frozenset(given)
    near = moralise(graph, reach(reverse(graph), {one, other, *held}))
    return other not in _component(near, one, held)


def list_separators(near: Graph, one: str, other: str, allowed: frozenset[str]) -> list[frozenset[str]]:
    """List the minimal sets of allowed nodes that part two nodes of an undirected graph.

    Parameters
    ----------
    near : mapping
        Neighbours of each node.
    one, other : str
        The two nodes.
    allowed : frozenset of str
        Nodes that may be held.

    Returns
    -------
    list of frozenset
        The smallest first, then by name; empty when nothing parts them, one empty set when they are apart.
    """
    graph = {name: set(found) for name, found in near.items()}
    # A node that may not be held is passed through: its neighbours are near each other.
    for name in sorted(set(graph) - allowed - {one, other}):
        for first, second in combinations(sorted(graph[name]), 2):
            graph[first].add(second)
            graph[second].add(first)
        for neighbour in graph.pop(name):
            graph[neighbour].discard(name)
    if other in graph[one]:
        return []

    def beyond(side: frozenset[str]) -> frozenset[str]:
        """Part a connected side from the other node by what lies closest to it."""
        edge = frozenset(found for name in side for found in graph[name]) - side
        far = _component(graph, other, edge)
        return frozenset(name for name in edge if graph[name] & far)

    closest = beyond(frozenset({one}))
    found, left = {closest}, [closest]
    while left and len(found) < MOST_SETS:
        held = left.pop()
        side = _component(graph, one, held)
        for name in sorted(held):
            if other in graph[name]:
                continue
            further = beyond(side | {name})
            if further not in found:
                found.add(further)
                left.append(further)
    return sorted(found, key=lambda names: (len(names), sorted(names)))


def causal_nodes(graph: Graph, exposure: str, outcome: str) -> frozenset[str]:
    """Find the nodes after the exposure on a path of arrows from it to the outcome, the outcome among them.

    Parameters
    ----------
    graph : mapping
        Children of each node.
    exposure, outcome : str
        The two nodes.

    Returns
    -------
    frozenset of str
        Empty when no such path leads to the outcome.

    Examples
    --------
    >>> graph = {"x": frozenset("m"), "m": frozenset("y"), "y": frozenset()}
    >>> sorted(causal_nodes(graph, "x", "y"))
    ['m', 'y']
    """
    return (reach(graph, [exposure]) & reach(reverse(graph), [outcome])) - {exposure}


def back_door_graph(graph: Graph, exposure: str, outcome: str, *, direct: bool = False) -> dict[str, frozenset[str]]:
    """Take out the first arrows of what is to be estimated: what still joins the two is bias.

    Parameters
    ----------
    graph : mapping
        Children of each node.
    exposure, outcome : str
        The two nodes.
    direct : bool, optional
        Take out the arrow between them alone.

    Returns
    -------
    dict
        Children of each node.
    """
    first = frozenset({outcome}) if direct else causal_nodes(graph, exposure, outcome)
    return {**graph, exposure: graph[exposure] - first}


def forbidden_nodes(graph: Graph, exposure: str, outcome: str, *, direct: bool = False) -> frozenset[str]:
    """Find what may never be adjusted for: effects of the exposure on the way to the outcome, and what follows them.

    Parameters
    ----------
    graph : mapping
        Children of each node.
    exposure, outcome : str
        The two nodes.
    direct : bool, optional
        For the effect that passes through no other node: only the outcome and what follows it.

    Returns
    -------
    frozenset of str
        The exposure and the outcome among them.
    """
    on_path = {outcome} if direct else causal_nodes(graph, exposure, outcome)
    return reach(graph, on_path) | {exposure, outcome}


def list_adjustment_sets(
    graph: Graph, exposure: str, outcome: str, allowed: frozenset[str], *, direct: bool = False
) -> list[frozenset[str]]:
    """List the minimal sets whose adjustment leaves the effect alone.

    Parameters
    ----------
    graph : mapping
        Children of each node.
    exposure, outcome : str
        The two nodes.
    allowed : frozenset of str
        Nodes that are measured.
    direct : bool, optional
        The effect that passes through no other node, instead of the whole.

    Returns
    -------
    list of frozenset
        The smallest first, then by name; empty when no measured set will do.

    Examples
    --------
    >>> graph = {"c": frozenset("xy"), "x": frozenset("y"), "y": frozenset()}
    >>> [sorted(names) for names in list_adjustment_sets(graph, "x", "y", frozenset("c"))]
    [['c']]
    """
    cut = back_door_graph(graph, exposure, outcome, direct=direct)
    near = moralise(cut, reach(reverse(cut), [exposure, outcome]))
    free = allowed - forbidden_nodes(graph, exposure, outcome, direct=direct)
    return list_separators(near, exposure, outcome, free)


def open_path(graph: Graph, one: str, other: str, given: Iterable[str]) -> list[str]:
    """Find a path between two nodes that what is held leaves open.

    Parameters
    ----------
    graph : mapping
        Children of each node.
    one, other : str
        The two nodes.
    given : iterable of str
        Nodes that are held.

    Returns
    -------
    list of str
        Nodes of a shortest such path; empty when they are d-separated.

    Notes
    -----
    Koller and Friedman, Probabilistic Graphical Models, 2009, algorithm 3.1: a node is met from a child or from a
    parent, and lets pass accordingly.

    Examples
    --------
    >>> graph = {"c": frozenset("xy"), "x": frozenset("y"), "y": frozenset()}
    >>> open_path({**graph, "x": frozenset()}, "x", "y", [])
    ['x', 'c', 'y']
    """
    held, parents = frozenset(given), reverse(graph)
    opened = reach(parents, held)
    came: dict[tuple[str, bool], tuple[str, bool] | None] = {(one, True): None}
    left = [(one, True)]
    for node, upwards in left:
        if node == other:
            path, state = [], (node, upwards)
            while state is not None:
                path.append(state[0])
                state = came[state]  # type: ignore[assignment]
            return path[::-1]
        further: list[tuple[str, bool]] = []
        if upwards and node not in held:
            further = [(name, True) for name in sorted(parents[node])] + [(name, False) for name in sorted(graph[node])]
        elif not upwards:
            further = [] if node in held else [(name, False) for name in sorted(graph[node])]
            further += [(name, True) for name in sorted(parents[node])] if node in opened else []
        for step in further:
            if step not in came:
                came[step] = (node, upwards)
                left.append(step)
    return []


def _component(near: Mapping[str, frozenset[str] | set[str]], start: str, held: frozenset[str]) -> frozenset[str]:
    """Reach what is joined to a node when others are held."""
    seen, left = {start}, [start]
    while left:
        for name in near[left.pop()]:
            if name not in seen and name not in held:
                seen.add(name)
                left.append(name)
    return frozenset(seen)
