"""Communes of France: codes, territories, distances in metres, contours and maps, all offline."""

from epi.geography.areas import area_of, belongs_to
from epi.geography.births import births_of_france
from epi.geography.carrying import Carried, carry_table
from epi.geography.classes import Classes, build_classes
from epi.geography.codes import FAULTS, Repair, check_codes, repair_codes
from epi.geography.communes import (
    LEVELS,
    describe_commune,
    find_communes,
    names_of,
    read_communes,
    territory,
)
from epi.geography.contours import read_contours
from epi.geography.coordinates import check_degrees, check_metres, check_projected, read_points, to_degrees, to_metres
from epi.geography.distances import commune_distance_m, distance_m, planar_distance_m
from epi.geography.harmonisation import STATUSES, CodeCoverage, Harmonised, code_coverage, harmonise
from epi.geography.iris import commune_of_iris
from epi.geography.maps import choropleth
from epi.geography.neighbours import neighbours
from epi.geography.passages import arrondissements_of, city_of, to_current
from epi.geography.points import area_points
from epi.geography.searches import count_within, nearest, pairs_within
from epi.geography.vintages import possible_vintages

__all__ = [
    "FAULTS",
    "LEVELS",
    "STATUSES",
    "Carried",
    "Classes",
    "CodeCoverage",
    "Harmonised",
    "Repair",
    "area_of",
    "area_points",
    "arrondissements_of",
    "belongs_to",
    "births_of_france",
    "build_classes",
    "carry_table",
    "check_codes",
    "check_degrees",
    "check_metres",
    "check_projected",
    "choropleth",
    "city_of",
    "code_coverage",
    "commune_distance_m",
    "commune_of_iris",
    "count_within",
    "describe_commune",
    "distance_m",
    "find_communes",
    "harmonise",
    "names_of",
    "nearest",
    "neighbours",
    "pairs_within",
    "planar_distance_m",
    "possible_vintages",
    "read_communes",
    "read_contours",
    "read_points",
    "repair_codes",
    "territory",
    "to_current",
    "to_degrees",
    "to_metres",
]
