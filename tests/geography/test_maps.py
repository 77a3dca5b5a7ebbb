"""Maps: drawn from their table alone, zero told from missing, refused when the table is wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from epi import geography, plotting
from epi.errors import GeographyError, ParameterError
from epi.geography.classes import SCALES, build_classes
from epi.geography.contours import commune_cells
from epi.geography.layout import plan_layout
from epi.results import Counted


def table_of(level: str, within: str | None = None) -> pd.DataFrame:
    codes = geography.read_contours(level, within=within, tolerance_m=600)["code"]
    rng = np.random.Generator(np.random.PCG64(1))
    observed = rng.poisson(8, len(codes))
    return pd.DataFrame({"area": codes, "value": observed / 8, "observed": observed})


def texts(figure) -> list[str]:
    legend = figure.legends[0]
    return [
        *(text.get_text() for text in figure.texts),
        legend.get_title().get_text(),
        *(text.get_text() for text in legend.get_texts()),
        *(axes.get_title(loc="left") for axes in figure.axes),
    ]


CASES = [
    ("bassin_de_vie", None, 7, {"Île-de-France", "Mayotte"}),
    ("departement", None, 7, {"Paris", "Guyane"}),
    ("region", None, 6, {"La Réunion"}),
    ("arrondissement", "metropolitan France", 2, {"Île-de-France"}),
    ("bassin_de_vie", "Auvergne-Rhône-Alpes", 2, set()),  # the second window is the locator
    ("commune", "departement:38", 2, set()),
    ("commune", "Martinique", 1, set()),
    ("commune", "overseas France", 5, {"Guadeloupe", "Mayotte"}),
    ("epci", "Corse", 2, set()),
]


@pytest.mark.parametrize(("level", "within", "windows", "captions"), CASES)
def test_each_territory_is_drawn_with_its_windows(level, within, windows, captions):
    table = table_of(level, within)
    table.loc[table.index[0], "value"] = np.nan
    chart = geography.choropleth(
        table, level, scale="ratio", count="observed", title="SIR", label="Ratio", source="Invented"
    )
    figure = chart.figure()
    assert len(figure.axes) == windows
    assert captions <= set(texts(figure))
    assert any(text.startswith("no value, or hidden  (1)") for text in texts(figure))
    assert any("IGN ADMIN EXPRESS" in text and "Invented" in text for text in texts(figure))
    image = plotting.render(figure, "png")
    assert image[:4] == b"\x89PNG"
    assert image == plotting.render(chart.figure(), "png")  # same table, same bytes


def test_nothing_is_cut_off():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for level, within in (("bassin_de_vie", None), ("commune", "Martinique"), ("departement", "Corse")):
        chart = geography.choropleth(
            table_of(level, within),
            level,
            title="A heading so long that it needs a second line, " * 3,
            label="A legend heading that is rather long, in cases per 100,000 inhabitants and per year",
            source="A long list of producers, " * 6,
        )
        figure = chart.figure()
        renderer = FigureCanvasAgg(figure).get_renderer()
        page = figure.bbox
        boxes = [text.get_window_extent(renderer) for text in figure.texts]
        boxes.append(figure.legends[0].get_window_extent(renderer))
        for box in boxes:
            assert box.x0 >= -1
            assert box.x1 <= page.x1 + 1
            assert box.y0 >= -1
            assert box.y1 <= page.y1 + 1
        title = figure.texts[-2].get_window_extent(renderer)
        windows = [axes.get_window_extent(renderer) for axes in figure.axes]
        assert all(window.y1 <= title.y0 + 1 for window in windows)
        foot = figure.texts[-1].get_window_extent(renderer)
        assert all(window.y0 >= foot.y1 - 1 for window in windows)


def test_zero_missing_and_outside_are_three_different_things():
    table = table_of("departement")
    table["value"] = 1.5
    table.loc[table["area"] == "38", "value"] = 0.0
    table.loc[table["area"] == "73", "value"] = np.nan
    table = table[table["area"] != "01"]
    figure = geography.choropleth(table, "departement", label="Rate").figure()
    seen = texts(figure)
    assert "0  (1)" in seen
    assert "no value, or hidden  (1)" in seen
    assert "not in the study" in seen
    looks = {(patch.get_facecolor()[:3], patch.get_hatch() or "") for patch in figure.legends[0].get_patches()[:-1]}
    assert len(looks) == 4


def test_a_hidden_cell_leaves_no_trace_in_the_picture():
    table = table_of("departement").drop(columns="observed")
    chart = geography.choropleth(table, "departement", scale="ratio", title="t")
    hidden = chart.data.table.copy()
    hidden.loc[hidden["area"] == "38", "value"] = np.nan
    other = table.copy()
    other.loc[other["area"] == "38", "value"] = 55.0
    again = geography.choropleth(other, "departement", scale="ratio", title="t")
    also = again.data.table.copy()
    also["value"] = also["value"].astype(object)
    also.loc[also["area"] == "38", "value"] = pd.NA
    first = plotting.render(chart.figure(hidden), "svg")
    assert first == plotting.render(again.figure(also), "svg")
    assert chart.alt == again.alt
    assert first != plotting.render(chart.figure(), "svg")
    everything = chart.data.table.assign(value=np.nan)
    assert plotting.render(chart.figure(everything), "png")


def test_the_release_says_what_counts():
    table = table_of("departement").assign(expected=8.0)
    release = geography.choropleth(table, "departement", count="observed", lang="fr").release()
    assert release.counts == (Counted("observed", derived=("value",)),)
    assert release.table["name"].iloc[0] == "Ain"
    declared = (Counted("observed", of=None, derived=("value", "expected")),)
    release = geography.choropleth(table, "departement", count="observed", counts=declared).release()
    assert release.counts == declared
    assert geography.choropleth(table, "departement", value="observed", count="observed").release().counts == (
        Counted("observed"),
    )
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        geography.choropleth(shuffled, "departement").data.table,
        geography.choropleth(table, "departement").data.table,
    )


def test_a_map_of_communes_tells_the_gate_how_small_they_are():
    table = table_of("commune", "Martinique").drop(columns="observed")
    release = geography.choropleth(table, "commune").release()
    assert "population" in release.not_counts
    communes = geography.read_communes().set_index("insee_code")["population"]
    assert release.table["population"].tolist() == communes[release.table["insee_code"]].tolist()
    with pytest.raises(ParameterError, match="both area and insee_code"):
        geography.choropleth(table.assign(insee_code=table["area"]), "commune")


def test_french_words_and_numbers():
    table = table_of("commune", "departement:38").drop(columns="observed")
    figure = geography.choropleth(table, "commune", bins=[0.5, 1.25], lang="fr").figure()
    seen = texts(figure)
    assert any(text.startswith("0,50 – 1,25") for text in seen)
    assert "hors de l’étude" in seen


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t: t.assign(area=[*t["area"][:-1], "38"]), GeographyError, "1 of 12 rows repeat an area"),
        (lambda t: t.assign(area=[*t["area"][:-1], None]), GeographyError, "1 of 12 rows have no area code"),
        (lambda t: t.assign(area=[*t["area"][:-1], "1"]), GeographyError, "1 of 12 rows hold a code that is no"),
        (lambda t: t.iloc[:0], GeographyError, "no rows"),
        (lambda t: t.drop(columns="value"), ParameterError, "no column value"),
        (lambda t: t.assign(value="high"), ParameterError, "no number"),
        (lambda t: t.assign(value=np.inf), ParameterError, "no number"),
    ],
)
def test_wrong_tables_get_their_message(change, error, message):
    table = table_of("departement", "Auvergne-Rhône-Alpes")
    with pytest.raises(error) as caught:
        geography.choropleth(change(table), "departement")
    assert message in str(caught.value)


def test_arrondissements_of_paris_are_sent_to_their_city():
    with pytest.raises(GeographyError, match="city_of"):
        geography.choropleth(pd.DataFrame({"area": ["75112"], "value": [1.0]}), "commune")


def test_wrong_options_are_told_at_once_and_before_drawing():
    table = table_of("departement")
    with pytest.raises(ParameterError) as caught:
        geography.choropleth(table, "departement", scale="log", k=20, scheme="guess", bins=[2, 1])
    assert len(caught.value.faults) == 4
    with pytest.raises(ParameterError, match="'en' or 'fr'"):
        geography.choropleth(table, "departement", lang="de")
    with pytest.raises(ParameterError, match="negative"):
        geography.choropleth(table.assign(value=-1.0), "departement", scale="ratio")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("scheme", ["quantiles", "equal", "natural"])
@pytest.mark.parametrize("shape", ["many", "few", "same", "none", "zeros"])
def test_classes_hold_every_value_once(scale, scheme, shape):
    rng = np.random.Generator(np.random.PCG64(2))
    values = {
        "many": rng.lognormal(0, 0.5, 500),
        "few": np.array([0.5, 2.0]),
        "same": np.full(30, 1.0),
        "none": np.full(3, np.nan),
        "zeros": np.r_[np.zeros(5), rng.lognormal(0, 0.5, 20)],
    }[shape]
    classes = build_classes(values, scale=scale, scheme=scheme)
    assert len(classes.colours) == len(classes.labels) == len(set(classes.colours))
    place = classes.assign(values)
    assert ((place >= 0) == np.isfinite(values)).all()
    assert place.max() < len(classes.colours)
    order = np.argsort(values[np.isfinite(values)])
    assert (np.diff(place[np.isfinite(values)][order]) >= 0).all()
    if classes.zero:
        assert (place[values == 0] == 0).all()
        assert (place[values > 0] > 0).all()


def test_natural_breaks_have_the_least_squares_of_all():
    values = np.array([1.0, 1.1, 1.2, 5.0, 5.3, 5.6, 9.0, 9.9, 14.0])
    found = build_classes(values, scheme="natural", k=3)

    def squares(place):
        return sum(((values[place == i] - values[place == i].mean()) ** 2).sum() for i in np.unique(place))

    every = [
        squares(np.searchsorted([values[i], values[j]], values))
        for i, j in itertools.combinations(range(len(values) - 1), 2)
    ]
    assert squares(found.assign(values)) == pytest.approx(min(every))


def test_a_ratio_is_centred_on_one():
    classes = build_classes([0.3, 1.0, 3.0], scale="ratio")
    middle = len(classes.colours) // 2
    assert classes.assign(np.array([1.0]))[0] == middle
    low, high = classes.breaks[middle - 1], classes.breaks[middle]
    assert low * high == pytest.approx(1, abs=0.02)
    even = build_classes([0.3, 3.0], scale="ratio", bins=[0.5, 1, 2])
    assert len(even.colours) == 4
    assert even.labels == ("≤ 0.5", "0.5 – 1.0", "1.0 – 2.0", "> 2.0")


def test_colours_stay_apart_for_the_colour_blind():
    # Viénot's matrix for the commonest deficiency (no green cones), then the difference in lightness or hue.
    matrix = np.array([[0.625, 0.375, 0.0], [0.7, 0.3, 0.0], [0.0, 0.3, 0.7]])
    for classes in (build_classes(np.arange(1, 99), k=7), build_classes([0.1, 1, 9], scale="ratio")):
        rgb = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in classes.colours]) / 255
        seen = rgb @ matrix.T
        gaps = np.abs(seen[:, None] - seen[None]).max(axis=2)[np.triu_indices(len(seen), 1)]
        assert gaps.min() > 0.08


def test_layout_zooms_only_when_a_part_is_present():
    cells = commune_cells()
    whole = plan_layout(np.ones(len(cells), dtype=bool), "commune", 0.5, 0.4)
    part = plan_layout((cells["departement"] == "38").to_numpy(), "commune", 0.5, 0.4)
    assert whole.locator is None
    assert part.locator is not None
    widths = [layout.panels[0].ground[2] - layout.panels[0].ground[0] for layout in (whole, part)]
    assert widths[1] < 0.25 * widths[0]


def test_a_map_of_categories_has_their_labels_and_colours_and_refuses_others():
    table = pd.DataFrame({"area": ["38", "73", "74"], "value": ["high", "low", None]})
    kinds = {"low": ("Low", "#2166ac"), "high": ("High", "#b2182b")}
    figure = geography.choropleth(table, "departement", categories=kinds, title="Kinds", label="Kind").figure()
    words = " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    assert "High" in words and "Low" in words and "Kind" in words
    with pytest.raises(ParameterError, match="1 of 3 rows of value hold none of the categories"):
        geography.choropleth(table, "departement", categories={"high": kinds["high"]})


def test_the_source_line_is_written_as_its_language_wants():
    table = pd.DataFrame({"area": ["38", "73"], "value": [1.3, 0.8]})
    for lang, start in (("en", "Source: INSEE"), ("fr", "Source\u00a0: INSEE")):
        figure = geography.choropleth(table, "departement", lang=lang).figure()
        assert figure.texts[-1].get_text().startswith(start)
