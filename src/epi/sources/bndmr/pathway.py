"""Declarations of centres, care, activities and diagnoses."""

from __future__ import annotations

from epi.sources.bndmr.fields import FINESS, INSEE, Derived, Field, ForeignKey, Table

FSMR = Table(
    "fsmr",
    "One of the 23 national networks",
    "Filière de santé maladies rares",
    (
        Field("fsmr", "enum", "R", "Network", "Filière", value_set="Fsmr", source="G"),
        Field("label_fr", "text", "R", "Its name in French", source="G"),
    ),
    key=("fsmr",),
)

HOSPITAL = Table(
    "hospital",
    "One hospital (a geographic FINESS)",
    "Établissement",
    (
        Field("hospital_code", "id", "R", "Hospital"),
        Field("hospital_name", "text", "O", "Its name", source="G"),
        Field(
            "finess_ej",
            "text",
            "R",
            "Juridical FINESS",
            "FINESS juridique",
            pattern=FINESS,
            rule="9 characters",
        ),
        Field(
            "finess_et",
            "text",
            "R",
            "Geographic FINESS",
            "FINESS géographique",
            pattern=FINESS,
            rule="9 characters",
        ),
        Field("dpi_vendor", "text", "O", "Vendor of the hospital record", "Éditeur du DPI"),
        Field("agreement_bamara_signed", "date", "O", "Agreement on the care base", "Convention BaMaRa"),
        Field("agreement_bndmr_signed", "date", "O", "Agreement on the warehouse", "Convention BNDMR"),
    ),
    key=("hospital_code",),
    required=True,
)

SITE = Table(
    "site",
    "One rare-disease centre in one hospital",
    "Site maladies rares",
    (
        Field("site_code", "id", "R", "Site", pattern=r"S[0-9]{3,4}", rule="S and 3 or 4 digits", source="A, C"),
        Field("site_name", "text", "R", "Its label, [type] name"),
        Field(
            "centre_type",
            "enum",
            "R",
            "Type of centre",
            value_set="CentreType",
            rule="CRC only for MHEMO, MUCO-CFTR and FILSLAN",
        ),
        Field("crmr_network", "text", "O", "Reference network it belongs to", "CRMR"),
        Field("fsmr", "enum", "R", "Its network", "Filière", value_set="Fsmr"),
        Field("hospital_code", "id", "R", "Its hospital"),
        Field("region", "text", "O", "Region, for maps", "Région"),
        Field(
            "insee_commune",
            "text",
            "O",
            "Commune, for maps",
            pattern=INSEE,
            rule="INSEE code of 5 characters",
        ),
        Field("label_start", "date", "R", "Start of the label"),
        Field("label_end", "date", "R", "End of the label", rule="labels run 5 years"),
        Field("bamara_autonomous_date", "date", "O", "First used BaMaRa itself"),
        Field("bamara_connected_date", "date", "O", "First sent from the hospital record"),
    ),
    key=("site_code",),
    foreign=(ForeignKey("fsmr", "fsmr", "fsmr"), ForeignKey("hospital_code", "hospital", "hospital_code")),
    required=True,
)

CARE = Table(
    "care",
    "A patient followed by a site",
    "Prise en charge",
    (
        Field("care_id", "id", "R", "Care"),
        Field("patient_id", "id", "R", "Patient"),
        Field("site_code", "id", "R", "Site"),
        Field("inclusion_date", "date", "R", "Inclusion in the site", "Date d'inclusion", partial=True),
        Field(
            "referring_physician_rpps",
            "text",
            "C",
            "Referring physician",
            "RPPS",
            pattern=r"[0-9]{11}",
            rule="dropped in research extracts",
        ),
        Field(
            "referred_by",
            "enums",
            "R",
            "Who sent the patient",
            "Patient adressé par",
            value_set="PatientAdressePar",
            rule="one or several, joined by |",
        ),
        Field("out_of_label", "bool", "R", "Outside the site's labelled perimeter", "Hors périmètre"),
    ),
    key=("care_id",),
    foreign=(ForeignKey("patient_id", "patient", "patient_id"), ForeignKey("site_code", "site", "site_code")),
    required=True,
)

ACTIVITY = Table(
    "activity",
    "One visit, stay or opinion within a care",
    "Activité",
    (
        Field("activity_id", "id", "R", "Activity"),
        Field("care_id", "id", "R", "Care it belongs to"),
        Field("activity_date", "date", "R", "Date, to the day", rule="the linkage key"),
        Field("context", "enum", "R", "Context", "Contexte", value_set="ContexteActivite"),
        Field(
            "context_text",
            "text",
            "C",
            "Context in words",
            when="activity.context = 'other'",
            rule="required when the context is other",
            free_text=True,
        ),
        Field(
            "performer_profession",
            "enum",
            "O",
            "Profession of who did it",
            "Profession",
            value_set="ProfessionPersonnelActivite",
        ),
        Field("place_finess", "text", "O", "Place, FINESS", pattern=FINESS, rule="only if not the site"),
        Field("place_commune", "text", "O", "Place, commune", pattern=INSEE, rule="only if not the site"),
        Field("fetus_id", "id", "O", "The fetus it concerns"),
    ),
    key=("activity_id",),
    foreign=(ForeignKey("care_id", "care", "care_id"), ForeignKey("fetus_id", "fetus", "fetus_id")),
    required=True,
)

ACTIVITY_OBJECTIVE = Table(
    "activity_objective",
    "One objective of an activity (at least one each)",
    "Objectif d'activité",
    (
        Field("activity_id", "id", "R", "Activity"),
        Field("objective", "enum", "R", "Objective", "Objectif", value_set="ObjectifActivite"),
    ),
    key=("activity_id", "objective"),
    foreign=(ForeignKey("activity_id", "activity", "activity_id"),),
    required=True,
)


def _age(stage: str, words: str, french: str) -> tuple[Field, Field]:
    return (
        Field(f"{stage}_moment", "enum", "R", f"Moment of {words}", french, value_set="Age"),
        Field(
            f"{stage}_age",
            "int",
            "C",
            f"Age at {words}, in age_unit",
            low=0,
            high=50000,
            when=f"diagnosis.{stage}_moment = 'postnatal'",
            rule="only if the moment is postnatal",
        ),
    )


def _age_days(stage: str, words: str) -> Derived:
    return Derived(
        f"{stage}_age_days",
        "float",
        f"Age at {words} in days: year 365.25, month 30.4375, birth 0; missing for other moments",
        f"CASE {stage}_moment WHEN 'birth' THEN 0.0 WHEN 'postnatal' THEN {stage}_age * "
        "CASE age_unit WHEN 'year' THEN 365.25 WHEN 'month' THEN 30.4375 ELSE 1.0 END END::DOUBLE",
        after="age_unit",
    )


DIAGNOSIS = Table(
    "diagnosis",
    "One rare-disease diagnosis of a patient, at any stage",
    "Diagnostic",
    (
        Field("diagnosis_id", "id", "R", "Diagnosis"),
        Field("patient_id", "id", "R", "Patient"),
        Field("status", "enum", "R", "Current status", "Statut actuel", value_set="StatutActuelDiagnostic"),
        Field(
            "orpha_code",
            "int",
            "C",
            "ORPHA code as recorded",
            "Code ORPHA",
            low=1,
            rule="expected if confirmed (V07); exists in the nomenclature (V06)",
            source="A, C",
        ),
        Field(
            "complex_nonrare_cim10",
            "text",
            "C",
            "Complex non-rare disease, CIM-10",
            "Maladie complexe non rare",
            pattern=r"[A-Z][0-9]{2}\.?[0-9A-Z+*-]{0,4}",
            rule="in place of an ORPHA code",
        ),
        Field("diagnosis_date", "date", "O", "Date of diagnosis", "Date du diagnostic", partial=True),
        Field("site_of_diagnosis", "text", "O", "Site that made it (identifier, code or name)"),
        Field(
            "entry_appreciation",
            "enum",
            "R",
            "Diagnosis on arrival in the centre",
            "Appréciation à l'entrée",
            value_set="AppreciationDiagnosticCentre",
        ),
        *_age("first_signs", "first signs", "Âge aux premiers signes"),
        *_age("clinical_diag", "clinical diagnosis", "Âge au diagnostic clinique"),
        *_age("genetic_diag", "genetic diagnosis", "Âge au diagnostic génétique"),
        Field("age_unit", "enum", "R", "Unit of the three ages", value_set="AgeUnit", source="A, G"),
        Field(
            "sporadic_familial",
            "enum",
            "O",
            "Sporadic or familial",
            "Cas sporadique ou familial",
            value_set="CasSporadiqueFamilial",
        ),
        Field(
            "inheritance",
            "enum",
            "O",
            "Mode of inheritance",
            "Mode de transmission",
            value_set="Inheritance",
            source="C",
        ),
        Field(
            "newborn_screening",
            "enum",
            "O",
            "Found by newborn screening",
            "Dépistage néonatal",
            value_set="YesNoUnknown",
            source="C, G",
        ),
        Field("apparently_healthy", "bool", "O", "Without symptoms or before them", "Sujet apparemment sain"),
        Field("mutation_text", "text", "O", "Variant in words", rule="never exported", free_text=True),
        Field(
            "other_genetic_text",
            "text",
            "O",
            "Other genetic finding in words",
            rule="never exported",
            free_text=True,
        ),
    ),
    key=("diagnosis_id",),
    foreign=(ForeignKey("patient_id", "patient", "patient_id"),),
    derived=(
        Derived(
            "orpha_code_current",
            "int",
            "ORPHA code after one redirection ('Moved to') when the recorded one is inactive",
            "coalesce(nomenclature.target, diagnosis.orpha_code)",
            after="orpha_code",
        ),
        _age_days("first_signs", "first signs"),
        _age_days("clinical_diag", "clinical diagnosis"),
        _age_days("genetic_diag", "genetic diagnosis"),
    ),
    required=True,
)

_OF_DIAGNOSIS = Field("diagnosis_id", "id", "R", "Diagnosis")
_DIAGNOSIS_KEY = (ForeignKey("diagnosis_id", "diagnosis", "diagnosis_id"),)

DIAGNOSIS_DESCRIPTION = Table(
    "diagnosis_description",
    "One code that describes a diagnosis",
    "Description du diagnostic",
    (
        _OF_DIAGNOSIS,
        Field("ref", "enum", "R", "Terminology", value_set="DescriptionReference"),
        Field("code", "text", "R", "Code in that terminology"),
    ),
    key=("diagnosis_id", "ref", "code"),
    foreign=_DIAGNOSIS_KEY,
)

DIAGNOSIS_GENE = Table(
    "diagnosis_gene",
    "One gene of a diagnosis",
    "Gène",
    (_OF_DIAGNOSIS, Field("hgnc_id", "text", "R", "HGNC identifier", pattern=r"(HGNC:)?[0-9]+")),
    key=("diagnosis_id", "hgnc_id"),
    foreign=_DIAGNOSIS_KEY,
)

DIAGNOSIS_TECHNIQUE = Table(
    "diagnosis_technique",
    "One technique that confirmed a diagnosis",
    "Technique diagnostique",
    (_OF_DIAGNOSIS, Field("technique", "enum", "R", "Technique", value_set="TechniquesDiagnostic")),
    key=("diagnosis_id", "technique"),
    foreign=_DIAGNOSIS_KEY,
)

DIAGNOSIS_INVESTIGATION = Table(
    "diagnosis_investigation",
    "One investigation of a diagnosis (2022 model, legacy data)",
    "Investigation réalisée",
    (
        _OF_DIAGNOSIS,
        Field("investigation", "enum", "R", "Investigation", value_set="InvestigationsRealisees"),
    ),
    key=("diagnosis_id", "investigation"),
    foreign=_DIAGNOSIS_KEY,
)
