"""The diseases: which are screened, which are not, and what the page calls them."""

from __future__ import annotations

from dataclasses import dataclass

from epi.codes import CodeList, open_code_list


@dataclass(frozen=True)
class Disease:
    """A disease of the study.

    Parameters
    ----------
    key : str
        Its short name.
    en, fr : str
        What the page calls it.
    calendar : str
        The disease whose calendar of screening cuts its births into eras: its own, or for a control that of
        cystic fibrosis.
    control : bool
        Whether it was never screened.
    mild : bool
        Whether screening finds mild forms of it that kill nobody: they flatter the screened.
    """

    key: str
    en: str
    fr: str
    calendar: str
    control: bool = False
    mild: bool = False

    @property
    def codes(self) -> CodeList:
        """ORPHA codes of its classical forms."""
        return open_code_list(f"{'unscreened' if self.control else 'screened'}_{self.key}")

    @property
    def mild_codes(self) -> CodeList | None:
        """ORPHA codes of the mild forms that screening finds, where there are some."""
        return open_code_list(f"screened_{self.key}_mild") if self.mild else None

    def name(self, lang: str = "en") -> str:
        """Give its name in a language.

        Parameters
        ----------
        lang : {"en", "fr"}
            Language.

        Returns
        -------
        str
            The name.
        """
        return self.fr if lang == "fr" else self.en


DISEASES: dict[str, Disease] = {
    disease.key: disease
    for disease in (
        Disease("cf", "Cystic fibrosis", "Mucoviscidose", "cf"),
        Disease("sickle_cell", "Sickle cell disease", "Drépanocytose", "sickle_cell"),
        Disease("cah", "Adrenal hyperplasia", "Hyperplasie des surrénales", "cah"),
        Disease("ch", "Congenital hypothyroidism", "Hypothyroïdie congénitale", "ch", mild=True),
        Disease("pku", "Phenylketonuria", "Phénylcétonurie", "pku", mild=True),
        Disease("duchenne", "Duchenne dystrophy", "Dystrophie de Duchenne", "cf", control=True),
        Disease("biliary_atresia", "Biliary atresia", "Atrésie des voies biliaires", "cf", control=True),
        Disease("glycogenosis", "Glycogenosis type I", "Glycogénose de type I", "cf", control=True),
    )
}
