from __future__ import annotations

import pytest

import epi
from epi.association import read_dag
from epi.errors import ParameterError
from epi.plotting import render

SMOKING = read_dag(
    ["smoking -> tar -> cancer", "genes -> smoking", "genes -> cancer", "age -> smoking", "age -> cancer"],
    unmeasured=["genes"],
    labels={"cancer": ("Lung cancer", "Cancer du poumon")},
)


def test_sets_that_need_what_is_not_measured_are_not_offered():
    assert SMOKING.adjustment_sets("smoking", "cancer") == []
    assert read_dag({"smoking": ["cancer"], "age": ["smoking", "cancer"]}).adjustment_sets("smoking", "cancer") == [
        ("age",)
    ]
    assert SMOKING.adjustment_sets("tar", "cancer") == [("smoking",)]


def test_a_set_is_checked_with_every_reason():
    assert SMOKING.check_adjustment("tar", "cancer", ["smoking", "age"]).valid, "more than the least will do"
    wrong = SMOKING.check_adjustment("smoking", "cancer", ["age", "tar", "genes"])
    assert not wrong.valid
    assert wrong.faults == ("genes is not measured", "tar is on the way from smoking to cancer, or follows it")
    assert str(SMOKING.check_adjustment("smoking", "cancer", ["age"])) == (
        "not sufficient: a path stays open: smoking <- genes -> cancer"
    )


def test_adjusting_for_a_collider_opens_a_path():
    bow = read_dag(["u -> x", "u -> m", "v -> m", "v -> y", "x -> y"], unmeasured=["u", "v"])
    assert bow.adjustment_sets("x", "y") == [()]
    assert bow.check_adjustment("x", "y", ["m"]).faults == ("a path stays open: x <- u -> m <- v -> y",)


def test_the_direct_effect_holds_the_mediators():
    chain = read_dag(["x -> m -> y", "x -> y"])
    assert chain.adjustment_sets("x", "y") == [()]
    assert chain.adjustment_sets("x", "y", effect="direct") == [("m",)]


def test_what_the_data_could_refute():
    assert read_dag(["a -> b -> c"]).implied_independencies() == [("a", "c", ("b",))]
    assert read_dag(["a -> b -> c"], unmeasured=["b"]).implied_independencies() == []


def test_bad_graphs_are_refused_with_all_faults():
    with pytest.raises(ParameterError) as told:
        read_dag(["a -> b -> a", "c", "d -> "], unmeasured=["e"], labels={"f": ("F", "F"), "a": ("one",)})
    for words in ("a circle: a -> b -> a", "'c' is no arrow", "without a name", "unmeasured 'e'", "label of 'f'",
                  "label of 'a' is not two texts"):  # fmt: skip
        assert words in str(told.value)
    with pytest.raises(ParameterError, match="a list of chains"):
        read_dag("a -> b")
    with pytest.raises(ParameterError, match="'smoke' is no node of the graph"):
        SMOKING.adjustment_sets("smoke", "cancer")
    with pytest.raises(ParameterError, match="the same node"):
        SMOKING.adjustment_sets("tar", "tar")
    with pytest.raises(ParameterError, match="effect is 'half'"):
        SMOKING.adjustment_sets("tar", "cancer", effect="half")


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_picture_is_released_with_its_arrows(lang):
    chart = SMOKING.chart("tar", "cancer", ["smoking"], lang=lang)
    assert render(chart.figure())
    published = epi.output(chart, "dag").decision.table
    assert len(published) == len(SMOKING.arrows)
    assert {"en": "sufficient", "fr": "suffisant"}[lang] in chart.release().note
    assert {"en": "Lung cancer", "fr": "Cancer du poumon"}[lang] in set(published["effect"])
