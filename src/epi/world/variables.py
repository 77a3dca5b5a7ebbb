"""The exposure variables of a world: what they are, and what a synthetic one looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COPERNICUS = "European Union, Copernicus Land Monitoring Service; computed by Project-UrbaSante (MIT)"
AREAS = "areas compiled by envir-t1d from INSEE, INERIS, SISE-Eaux; its licence to confirm, upstream Licence Ouverte"


@dataclass(frozen=True)
class Variable:
    """One exposure variable.

    Parameters
    ----------
    label_en, label_fr, unit : str
        What is printed.
    support : {"commune", "bassin_de_vie"}
        Where it is measured; a commune takes the value of its bassin de vie.
    source, producer, vintage, licence : str
        Of the real register.
    direction_note : str
        What a higher value means.
    mean, sd : float
        Of the synthetic field, over persons; of the logarithm when `log` is true.
    log : bool
        Whether the synthetic field is log-normal.
    urban, deprived : float
        Loadings of the synthetic field on density and on a common field of deprivation.
    overseas : bool
        Whether the real register covers overseas départements.
    """

    label_en: str
    label_fr: str
    unit: str
    support: str
    source: str
    producer: str
    vintage: str
    licence: str
    direction_note: str
    mean: float
    sd: float
    log: bool = False
    urban: float = 0.0
    deprived: float = 0.0
    overseas: bool = False

    def describe(self, origin: str) -> dict[str, Any]:
        """Give the metadata of the reference table.

        Parameters
        ----------
        origin : {"open data", "synthetic"}
            Where the values of this world come from.

        Returns
        -------
        dict
            As the reference table's JSON holds it. A synthetic field claims no producer.
        """
        real = origin == "open data"
        return {
            "label_en": self.label_en if real else f"{self.label_en} (synthetic)",
            "label_fr": self.label_fr if real else f"{self.label_fr} (synthétique)",
            "unit": self.unit,
            "source": self.source if real else "seeded random field of the synthetic world",
            "producer": self.producer if real else "epi.world",
            "vintage": self.vintage if real else "none",
            "licence": self.licence if real else "none: synthetic",
            "support": self.support,
            "origin": origin,
            "direction_note": self.direction_note,
        }


VARIABLES: dict[str, Variable] = {
    "fdep_like": Variable(
        "Deprivation index (FDep method)", "Indice de défavorisation (méthode FDep)", "score", "bassin_de_vie",
        "bassins_de_vie_2022_environment_social", "INSEE (RP 2021, Filosofi 2021), recomputed", "2021", AREAS,
        "higher = more deprived; not the official FDep", 0.0, 1.0, urban=-0.25, deprived=0.9,
    ),
    "median_income_eur": Variable(
        "Median disposable income per consumption unit", "Revenu disponible médian par unité de consommation",
        "EUR/year", "commune", "filosofi_2021_communes", "INSEE-DGFiP-Cnaf-Cnav-CCMSA, Filosofi 2021", "2021",
        "Licence Ouverte 2.0", "higher = richer", 23_500.0, 3_200.0, urban=0.2, deprived=-0.8,
    ),
    "density_km2": Variable(
        "Population density", "Densité de population", "persons/km2", "commune", "communes_2026",
        "INSEE (census 2023), IGN (areas 2025)", "2023", "Licence Ouverte 2.0", "higher = denser",
        0.0, 1.0, overseas=True,
    ),
    "pm25_ugm3": Variable(
        "Fine particles (PM2.5), annual mean", "Particules fines (PM2,5), moyenne annuelle", "µg/m³",
        "bassin_de_vie", "bassins_de_vie_2022_environment_social", "INERIS", "not stated by the compilers", AREAS,
        "higher = more polluted", 9.8, 1.5, urban=0.5,
    ),
    "no2_ugm3": Variable(
        "Nitrogen dioxide (NO2), annual mean", "Dioxyde d'azote (NO2), moyenne annuelle", "µg/m³",
        "bassin_de_vie", "bassins_de_vie_2022_environment_social", "INERIS", "not stated by the compilers", AREAS,
        "higher = more polluted", 14.0, 5.5, urban=0.85,
    ),
    "water_nitrate_mg_l": Variable(
        "Nitrate in tap water, mean of controls", "Nitrates dans l'eau du robinet, moyenne des contrôles", "mg/L",
        "bassin_de_vie", "bassins_de_vie_2022_environment_social", "SISE-Eaux 2023", "2023", AREAS,
        "higher = more nitrate", 13.0, 8.0,
    ),
    "nearest_industrial_km": Variable(
        "Distance to the nearest emitting industrial facility",
        "Distance à l'établissement industriel émetteur le plus proche",
        "km", "commune", "irep_2021_establishments (farms left out, commune agreeing with the postal code)",
        "MTE-BRGM, IREP 2021; points © OpenStreetMap contributors", "2021", "Licence Ouverte; coordinates ODbL",
        "higher = farther; from the commune's centroid", 1.2, 0.75, log=True, urban=-0.55, overseas=True,
    ),
    "n_polluted_sites": Variable(
        "Polluted sites listed (BASOL)", "Sites et sols pollués recensés (BASOL)", "sites", "commune", "basol_sites",
        "MTE/DGPR-BRGM", "2020", "Licence Ouverte 2.0",
        "higher = more sites; no listed site is zero, in metropolitan France",
        0.3, 1.3, log=True, urban=0.7, deprived=0.2,
    ),
    "tree_cover_pct": Variable(
        "Tree cover", "Couvert arboré", "%", "commune", "land_cover_2018_communes", COPERNICUS, "2018",
        "Copernicus free and open", "higher = more trees", 22.0, 13.0, urban=-0.35,
    ),
    "impervious_pct": Variable(
        "Impervious surfaces", "Surfaces imperméabilisées", "%", "commune", "land_cover_2018_communes", COPERNICUS,
        "2018", "Copernicus free and open", "higher = more built", 1.9, 1.1, log=True, urban=0.92,
    ),
    "n_gp_per_1000": Variable(
        "General practitioners per 1,000 inhabitants", "Médecins généralistes pour 1 000 habitants", "per 1,000",
        "commune", "bpe_2018_health_communes", "INSEE, BPE 2018", "2018", "Licence Ouverte 2.0",
        "higher = more practitioners in the commune itself", 0.9, 0.45, urban=0.3, overseas=True,
    ),
}  # fmt: skip
