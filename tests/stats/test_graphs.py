"""Adjustment sets against the definition, on every small graph drawn, and on published examples."""

from __future__ import annotations

from itertools import chain, combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epi.stats.graphs import (
    back_door_graph,
    find_cycle,
    forbidden_nodes,
    is_separated,
    list_adjustment_sets,
    list_separators,
    moralise,
    open_path,
    reach,
    reverse,
)


def graph(*words):
    names = sorted({name for word in words for name in word.replace("->", " ").split()})
    children = {name: set() for name in names}
    for word in words:
        path = [name.strip() for name in word.split("->")]
        for parent, child in pairwise(path):
            children[parent].add(child)
    return {name: frozenset(found) for name, found in children.items()}


def sets(g, x, y, allowed=None, **options):
    free = frozenset(g) - {x, y} if allowed is None else frozenset(allowed)
    return [sorted(names) for names in list_adjustment_sets(g, x, y, free, **options)]


@st.composite
def drawn(draw):
    names = "abcdefg"[: draw(st.integers(3, 7))]
    pairs = [pair for pair in combinations(names, 2) if draw(st.booleans())]
    order = draw(st.permutations(names))
    label = dict(zip(names, order, strict=True))
    children = {name: set() for name in names}
    for parent, child in pairs:
        children[label[parent]].add(label[child])
    return {name: frozenset(found) for name, found in children.items()}


def paths(g, one, other):
    """Every path between two nodes, whatever the directions."""
    near = {name: g[name] | {parent for parent in g if name in g[parent]} for name in g}
    left = [[one]]
    while left:
        path = left.pop()
        if path[-1] == other:
            yield path
            continue
        left += [[*path, name] for name in near[path[-1]] if name not in path]


def is_open(g, path, held):
    for before, node, after in zip(path, path[1:], path[2:], strict=False):
        collider = node in g[before] and node in g[after]
        if collider and not reach(g, [node]) & held:
            return False
        if not collider and node in held:
            return False
    return True


@settings(max_examples=200)
@given(drawn(), st.data())
def test_separation_is_that_of_every_path_blocked(g, data):
    one, other, *rest = data.draw(st.permutations(sorted(g)))
    held = frozenset(rest[: data.draw(st.integers(0, len(rest)))])
    blocked = not any(is_open(g, path, held) for path in paths(g, one, other))
    assert is_separated(g, one, other, held) == blocked
    assert bool(open_path(g, one, other, held)) == (not blocked)


@settings(max_examples=200)
@given(drawn(), st.data(), st.booleans())
def test_adjustment_sets_are_all_the_minimal_ones_and_no_others(g, data, direct):
    x, y, *rest = data.draw(st.permutations(sorted(g)))
    allowed = frozenset(rest[: data.draw(st.integers(0, len(rest)))])
    free = sorted(allowed - forbidden_nodes(g, x, y, direct=direct))
    cut = back_door_graph(g, x, y, direct=direct)
    valid = [
        set(chosen)
        for chosen in chain.from_iterable(combinations(free, size) for size in range(len(free) + 1))
        if is_separated(cut, x, y, chosen)
    ]
    minimal = [sorted(one) for one in valid if not any(other < one for other in valid)]
    assert sorted(sets(g, x, y, allowed, direct=direct)) == sorted(minimal)


def test_confounder_mediator_and_collider():
    assert sets(graph("c -> x -> y", "c -> y"), "x", "y") == [["c"]]
    assert sets(graph("x -> m -> y"), "x", "y") == [[]]
    assert sets(graph("x -> m -> y"), "x", "y", direct=True) == [["m"]]
    assert sets(graph("x -> k", "y -> k", "x -> y"), "x", "y") == [[]]
    assert sets(graph("c -> x -> y", "c -> y"), "x", "y", allowed=()) == []


def test_m_bias():
    """Greenland, Pearl and Robins, Epidemiology 1999;10:37, figure 2: the pre-exposure node is to be left alone."""
    g = graph("u1 -> x", "u1 -> m", "u2 -> m", "u2 -> y", "x -> y")
    assert sets(g, "x", "y", allowed="m") == [[]]


def test_shrier_and_platt():
    """Warming up and injury (Shrier and Platt, BMC Med Res Methodol 2008;8:70, figure 2, as R's dagR has it).

    Published as sufficient: coach and fitness, coach and pre-game proprioception, fitness and genetics; the four
    others follow from the same figure, and every one is minimal.
    """
    g = graph(
        "warm_up -> intra_game -> injury", "coach -> motivation -> warm_up", "coach -> fitness -> pre_game -> warm_up",
        "genetics -> fitness -> fatigue", "genetics -> fatigue -> injury", "genetics -> connective -> fatigue",
        "connective -> weakness -> injury", "motivation -> previous_injury", "fatigue -> intra_game",
        "contact_sport -> intra_game", "contact_sport -> previous_injury",
    )  # fmt: skip
    found = sets(g, "warm_up", "injury")
    assert found[:2] == [["coach", "fitness"], ["coach", "pre_game"]]
    assert ["fitness", "genetics"] in found
    assert found == [
        ["coach", "fitness"], ["coach", "pre_game"], ["connective", "fatigue"], ["fatigue", "weakness"],
        ["fitness", "genetics"], ["fitness", "motivation"], ["motivation", "pre_game"],
    ]  # fmt: skip


def test_circles_are_found():
    assert find_cycle(graph("a -> b -> c", "c -> a")) == ["a", "b", "c", "a"]
    assert find_cycle(graph("a -> b -> c", "a -> c")) == []


def test_separators_of_an_undirected_graph():
    g = graph("a -> b -> d", "a -> c -> d")
    near = moralise(g, frozenset(g))
    assert list_separators(near, "a", "d", frozenset("bc")) == [frozenset("bc")]
    assert list_separators(near, "a", "d", frozenset("b")) == []
    assert reverse(g)["d"] == frozenset("bc")


@pytest.mark.parametrize("size", [30])
def test_a_ladder_of_many_sets_ends(size):
    words = [f"a{i} -> a{i + 1}" for i in range(size)] + [f"b{i} -> b{i + 1}" for i in range(size)]
    words += ["a0 -> x", "b0 -> x", f"a{size} -> y", f"b{size} -> y", "x -> y"]
    assert len(sets(graph(*words), "x", "y")) >= 900
