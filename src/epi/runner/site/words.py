"""The words of the site's frame, in French and in English."""

from __future__ import annotations

import re

LANGS = ("fr", "en")

_WORDS: dict[str, tuple[str, str]] = {
    "site_title": ("Études sur les maladies rares", "Rare-disease studies"),
    "site_lead": (
        "Chaque étude dit sa question, ce qu'elle a trouvé avec ses intervalles, qui a été retiré et pourquoi, "
        "et ce qu'elle ne peut pas dire. Tout se lit hors ligne.",
        "Each study states its question, what it found with intervals, who was left out and why, "
        "and what it cannot say. Everything reads offline.",
    ),
    "studies": ("Études", "Studies"),
    "how_to_read": ("Comment lire ces pages", "How to read these pages"),
    "rule_gate": ("Secret des petits effectifs", "Small counts"),
    "rule_gate_text": (
        "Aucun tableau ni aucune figure ne sort sans passer un contrôle : un effectif entre 1 et {below} est masqué, "
        "ainsi que ce qui permettrait de le retrouver par soustraction. Une sortie de notebook qui n'a pas passé ce "
        "contrôle est remplacée par une note.",
        "No table or figure leaves without passing a gate: a count from 1 to {below} is hidden, and so is whatever "
        "would let it be found by subtraction. A notebook output that has not passed is replaced by a note.",
    ),
    "rule_gate_off": (
        "Aucun tableau ni aucune figure ne sort sans passer un contrôle ; le seuil d'effectif est indiqué sur la page "
        "de chaque étude.",
        "No table or figure leaves without passing a gate; the minimal count is stated on each study's page.",
    ),
    "rule_interval": ("Intervalles", "Intervals"),
    "rule_interval_text": (
        "Les chiffres sont donnés avec leur intervalle de confiance entre parenthèses ; n est le nombre de personnes.",
        "Figures come with their confidence interval in brackets; n is the number of persons.",
    ),
    "rule_run": ("Identifiant d'exécution", "Run identifier"),
    "rule_run_text": (
        "Douze caractères tirés de tout ce qui détermine le résultat : étude, paramètres, données, code et versions. "
        "Même identifiant, même résultat.",
        "Twelve characters drawn from all that determines the result: study, parameters, data, code and versions. "
        "Same identifier, same result.",
    ),
    "rule_opposition": ("Opposition", "Opposition"),
    "rule_opposition_text": (
        "Les patients opposés à la réutilisation de leurs données sont retirés avant toute analyse ; chaque page dit "
        "selon quelle règle, et combien.",
        "Patients opposed to the reuse of their data are removed before any analysis; each page says under which "
        "rule, and how many.",
    ),
    "synthetic": ("Données synthétiques", "Synthetic data"),
    "synthetic_text": (
        "Les patients de cette étude n'existent pas. Ils sont simulés, avec des effets connus d'avance, pour éprouver "
        "la méthode : aucun chiffre ne décrit la population française.",
        "The patients of this study do not exist. They are simulated, with effects known beforehand, to try the "
        "method: no figure describes the French population.",
    ),
    "synthetic_some": (
        "Certaines études ci-dessous reposent sur des patients simulés ; elles portent la mention « {label} ».",
        "Some of the studies below rest on simulated patients; they are marked “{label}”.",
    ),
    "exposures_title": ("Variables d'exposition", "Exposure variables"),
    "exposures_text": (
        "D'où vient chaque variable territoriale, et lesquelles sont simulées.",
        "Where each area variable comes from, and which are simulated.",
    ),
    "exposures_synthetic": (
        "Variables d'exposition simulées : {names}.",
        "Simulated exposure variables: {names}.",
    ),
    "variable": ("Variable", "Variable"),
    "origin": ("Origine", "Origin"),
    "origin_open data": ("données ouvertes", "open data"),
    "origin_synthetic": ("simulée", "synthetic"),
    "source": ("Source", "Source"),
    "vintage": ("Millésime", "Vintage"),
    "unit": ("Unité", "Unit"),
    "question": ("La question", "The question"),
    "found": ("Ce qui a été trouvé", "What was found"),
    "lost": ("Qui est entré, qui a été retiré", "Who came in, who was left out"),
    "remaining": ("restants", "remaining"),
    "excluded": ("retirés", "left out"),
    "limits": ("Ce que l'étude ne peut pas dire", "What the study cannot say"),
    "protocol": ("Protocole", "Protocol"),
    "population": ("Population", "Population"),
    "design": ("Schéma", "Design"),
    "legal": ("Base légale", "Legal basis"),
    "until": ("jusqu'au {date}", "until {date}"),
    "investigators": ("Responsables", "Investigators"),
    "sources": ("Sources", "Sources"),
    "version": ("Version du protocole", "Protocol version"),
    "opposition": ("Opposition", "Opposition"),
    "opposition_rule": ("Règle d'opposition", "Opposition rule"),
    "opposition_strict": (
        "stricte (le patient est gardé si l'information lui a été donnée et qu'aucune opposition n'est notée)",
        "strict (a patient is kept if the information note was given and no opposition is recorded)",
    ),
    "opposition_registry": (
        "registre (le patient est gardé sauf si une opposition est notée)",
        "registry (a patient is kept unless an opposition is recorded)",
    ),
    "opposition_none": (
        "sans objet (aucune donnée de registre n'est lue)",
        "not applicable (no registry data are read)",
    ),
    "min_count": ("Effectif minimal publié", "Smallest published count"),
    "variables": ("Variables demandées", "Variables requested"),
    "variables_text": (
        "Seules ces colonnes sont lisibles par l'étude ; la raison de chacune est dite.",
        "The study can read these columns only; the reason for each is given.",
    ),
    "table": ("Table", "Table"),
    "column": ("Colonne", "Column"),
    "reason": ("Raison", "Reason"),
    "parameters": ("Paramètres", "Parameters"),
    "parameters_text": ("Valeurs de cette exécution.", "Values of this run."),
    "parameter": ("Paramètre", "Parameter"),
    "value": ("Valeur", "Value"),
    "default": ("Défaut", "Default"),
    "meaning": ("Sens", "Meaning"),
    "yes": ("oui", "yes"),
    "no": ("non", "no"),
    "results": ("Résultats", "Results"),
    "results_table": ("Tous les résultats enregistrés", "All recorded results"),
    "results_text": (
        "Une ligne par résultat ; le même tableau sert aux figures, aux rapports et aux comparaisons.",
        "One row for each result; the same table serves figures, reports and comparisons.",
    ),
    "name": ("Nom", "Name"),
    "stratum": ("Strate", "Stratum"),
    "estimate": ("Estimation", "Estimate"),
    "interval": ("Intervalle", "Interval"),
    "interval_level": ("IC {level} %", "{level} % CI"),
    "to": ("à", "to"),
    "hidden": ("masqué", "hidden"),
    "figures": ("Figures et tableaux publiés", "Released figures and tables"),
    "download": ("télécharger {what}", "download {what}"),
    "rows_shown": (
        "{shown} premières lignes sur {total} ; le fichier les a toutes.",
        "First {shown} rows of {total}; the file has them all.",
    ),
    "withheld": (
        "« {name} » n'est pas montré ici : son niveau est « {level} ».",
        "“{name}” is not shown here: its level is “{level}”.",
    ),
    "altered": (
        "« {name} » est laissé de côté : le fichier a changé depuis l'exécution.",
        "“{name}” is left out: the file has changed since the run.",
    ),
    "level_public": ("public", "public"),
    "level_restricted": ("comité scientifique", "scientific committee"),
    "level_internal": ("analystes", "analysts"),
    "changes": ("Depuis la dernière publication", "Since the last published run"),
    "changed_nothing": (
        "Aucun résultat n'a changé depuis l'exécution {run}, publiée le {date}.",
        "No result has changed since run {run}, published on {date}.",
    ),
    "changed_numbers": (
        "{n} résultats sur {total} ont changé depuis l'exécution {run}, publiée le {date}.",
        "{n} of {total} results have changed since run {run}, published on {date}.",
    ),
    "changed_because": (
        "Ce qui a changé dans ce qui détermine les résultats",
        "What changed in what determines the results",
    ),
    "changed_file": ("fichier {name} de l'étude", "study file {name}"),
    "changed_parameter": ("paramètre {name} : {before}, maintenant {after}", "parameter {name}: {before}, now {after}"),
    "changed_library": ("bibliothèque {name} : {before}, maintenant {after}", "library {name}: {before}, now {after}"),
    "changed_workspace": ("les données de l'espace de travail", "the workspace's data"),
    "changed_statement": ("ce que l'espace de travail dit de ses données", "what the workspace says of its data"),
    "changed_open_data": ("les données ouvertes", "the open data"),
    "changed_epi": ("le code d'epi", "the code of epi"),
    "changed_lang": ("la langue des libellés", "the language of labels"),
    "changed_absent": ("absent", "absent"),
    "changed_held": (
        "Les valeurs de cette exécution ne sont pas répétées : à côté de celles d'à présent, elles pourraient révéler "
        "quelques personnes.",
        "The values of that run are not repeated: beside those of now, they could tell of few persons.",
    ),
    "changed_result": ("Résultat", "Result"),
    "changed_stratum": ("Strate", "Stratum"),
    "changed_before": ("Avant", "Before"),
    "changed_now": ("Maintenant", "Now"),
    "changed_more": (
        "Et {n} autres résultats, dans le tableau des résultats.",
        "And {n} more results, in the table of results.",
    ),
    "plan": ("Plan d'analyse", "Analysis plan"),
    "plan_kept": (
        "Exécutée sous le plan verrouillé, sans écart.",
        "Run under the frozen plan, without deviation.",
    ),
    "plan_deviates": (
        "Exécutée en s'écartant du plan verrouillé ({n} écart(s), ci-dessous).",
        "Run with deviations from the frozen plan ({n}, below).",
    ),
    "plan_altered": (
        "Le fichier du plan a été modifié après son verrouillage : rien ne prouve ce qui était prévu.",
        "The plan file was edited after it was frozen: nothing proves what was planned.",
    ),
    "plan_rewritten": (
        "Le plan du dossier de l'étude n'est plus celui de cette exécution : il a été réécrit depuis.",
        "The plan in the study's folder is no longer the one of this run: it has been rewritten since.",
    ),
    "plan_late": (
        "Aucun plan n'était verrouillé lors de cette exécution ; il l'a été ensuite.",
        "No plan was frozen when this ran; one was frozen later.",
    ),
    "plan_frozen": ("Plan verrouillé", "Plan frozen"),
    "plan_first_run": ("Première exécution connue sur ces données", "First known run on these data"),
    "plan_before": ("après le verrouillage", "after the plan was frozen"),
    "plan_after": (
        "avant le verrouillage : le plan a pu être écrit en les voyant",
        "before the plan was frozen: it may have been written with them in sight",
    ),
    "plan_data": ("Extraction des données", "Data extracted"),
    "plan_before_data": ("au jour du verrouillage ou après", "on the day the plan was frozen or later"),
    "plan_after_data": ("avant le verrouillage", "before the plan was frozen"),
    "plan_digest": ("Empreinte du plan", "Digest of the plan"),
    "plan_deviations": ("Écarts au plan", "Deviations from the plan"),
    "plan_amendments": ("Amendements", "Amendments"),
    "plan_date": ("Date", "Date"),
    "plan_changes": ("Ce qui a changé", "What changed"),
    "deviation_protocol": ("protocole, {where}", "protocol, {where}"),
    "deviation_parameter": (
        "paramètre {where}, hors des préréglages verrouillés",
        "parameter {where}, outside the frozen presets",
    ),
    "deviation_cells_changed": ("{where} : cellule(s) {cells} modifiée(s)", "{where}: cell(s) {cells} changed"),
    "deviation_cells_added": ("{where} : cellule(s) {cells} ajoutée(s)", "{where}: cell(s) {cells} added"),
    "deviation_cells_removed": ("{where} : cellule(s) {cells} retirée(s)", "{where}: cell(s) {cells} removed"),
    "deviation_file_changed": ("fichier {where} modifié", "file {where} changed"),
    "deviation_file_added": ("fichier {where} ajouté", "file {where} added"),
    "deviation_file_removed": ("fichier {where} retiré", "file {where} removed"),
    "deviation_preset_changed": ("préréglage {where} modifié", "preset {where} changed"),
    "deviation_preset_added": ("préréglage {where} ajouté", "preset {where} added"),
    "deviation_preset_removed": ("préréglage {where} retiré", "preset {where} removed"),
    "deviation_values": (" : « {after} » ; prévu : « {before} »", ": “{after}”; planned: “{before}”"),
    "deviation_nothing": ("rien", "nothing"),
    "rehearsal_title": ("Répétition de {study}", "Rehearsal of {study}"),
    "rehearsal_lead": (
        (
            "Tout ce qui suit vient de patients simulés, avant tout accès aux données : c'est ce à quoi "
            "s'attendre, pas un résultat."
        ),
        ("All that follows comes from simulated patients, before any access to data: what to expect, not a result."),
    ),
    "rehearsal_persons": ("Personnes par réplique", "Persons in each replicate"),
    "rehearsal_seeds": ("Graines", "Seeds"),
    "rehearsal_done": ("Répliques terminées", "Replicates done"),
    "rehearsal_failures": ("Répliques en échec (graine : cause)", "Replicates that failed (seed: cause)"),
    "rehearsal_attrition": ("Effectifs attendus", "Expected numbers"),
    "rehearsal_attrition_text": (
        "Patients restants à chaque étape, sur les répliques où le contrôle montre l'étape ; l'intervalle est celui où "
        "une réplique de plus tomberait 95 fois sur 100.",
        "Patients left at each step, over the replicates in which the gate shows the step; the interval is where one "
        "more replicate would fall 95 times in 100.",
    ),
    "rehearsal_estimates": ("Précision et puissance", "Precision and power"),
    "rehearsal_estimates_text": (
        (
            "Valeurs médianes sur les répliques. Pour un rapport, la largeur est la limite haute sur la "
            "limite basse, et le rapport décelable l'est avec une puissance de 80 % au seuil bilatéral de 5 "
            "%. L'intervalle d'une part est binomial exact."
        ),
        (
            "Medians over replicates. For a ratio, the width is the upper limit over the lower, and the "
            "detectable ratio is that found with 80 % power at the two-sided 5 % level. The interval of a "
            "share is exact binomial."
        ),
    ),
    "rehearsal_suppression": ("Ce que le contrôle masquera", "What the gate will hide"),
    "rehearsal_suppression_text": (
        "Part des cellules chiffrées masquées, et répliques où une sortie est touchée.",
        "Share of the cells with figures that are hidden, and replicates in which an output is touched.",
    ),
    "rehearsal_notes": ("Ce que cette répétition ne peut pas dire", "What this rehearsal cannot say"),
    "rehearsal_power": ("puissance", "power"),
    "rehearsal_false_positives": ("faux positifs", "false positives"),
    "rehearsal_h_step": ("Étape", "Step"),
    "rehearsal_h_mean": ("Moyenne", "Mean"),
    "rehearsal_h_range": ("Étendue", "Range"),
    "rehearsal_h_predicted": ("Intervalle attendu", "Expected interval"),
    "rehearsal_h_replicates": ("Répliques", "Replicates"),
    "rehearsal_h_result": ("Résultat", "Result"),
    "rehearsal_h_estimated": ("Estimé", "Estimated"),
    "rehearsal_h_typical": ("Médiane", "Median"),
    "rehearsal_h_width": ("Largeur de l'intervalle", "Interval width"),
    "rehearsal_h_planted": ("Vrai rapport", "True ratio"),
    "rehearsal_h_excludes": ("Intervalle sans 1", "Interval without 1"),
    "rehearsal_h_detectable": ("Rapport décelable", "Detectable ratio"),
    "rehearsal_h_power": ("Puissance pour {effect}", "Power for {effect}"),
    "rehearsal_h_output": ("Sortie", "Output"),
    "rehearsal_h_hidden_share": ("Cellules masquées", "Cells hidden"),
    "rehearsal_h_hidden_in": ("Touchée", "Touched"),
    "rehearsal_h_merged_in": ("Étapes réunies", "Steps merged"),
    "rehearsal_h_refused_in": ("Refusée", "Refused"),
    "rehearsal_note_not_france": (
        (
            "Le territoire est formé de communes réelles entières autour d'un département, avec leur vraie "
            "population ; les patients, centres et maladies y sont simulés selon des fréquences publiées, et"
            " rien ne dit que la base réelle a les mêmes."
        ),
        (
            "The territory is made of whole real communes around a département, with their true population; "
            "patients, centres and diseases are simulated there at published frequencies, and nothing says "
            "that the real base has the same."
        ),
    ),
    "rehearsal_note_one_disease": (
        (
            "Seule la SLA a des effets d'exposition implantés ; les autres maladies n'ont que leur fréquence"
            " et leur filière."
        ),
        ("Only ALS has planted effects of exposures; other diseases have their frequency and their network only."),
    ),
    "rehearsal_note_years": (
        ("Les diagnostics de SLA vont de 2011 à 2024 et les inclusions de 2007 à 2024 : une période au-delà est vide."),
        ("ALS diagnoses run from 2011 to 2024 and inclusions from 2007 to 2024: a period beyond them is empty."),
    ),
    "rehearsal_note_planted": (
        (
            "Le vrai rapport est conditionnel aux autres expositions : une exposition seule dans son modèle "
            "porte aussi celles qui lui ressemblent."
        ),
        (
            "The true ratio is conditional on the other exposures: an exposure alone in its model also "
            "carries those that resemble it."
        ),
    ),
    "rehearsal_note_recording": (
        (
            "Fautes de saisie, recours et opposition suivent des taux fixés ; doublons, identités perdues et"
            " changements de pratique n'y sont pas."
        ),
        (
            "Faults of entry, referral and opposition follow set rates; duplicates, lost identities and "
            "changes of practice are not there."
        ),
    ),
    "rehearsal_note_normal": (
        (
            "Puissance pour un effet et rapport décelable viennent de la largeur des intervalles par "
            "l'approximation normale, pour l'écart que le modèle emploie ; la confusion et l'erreur de "
            "mesure n'y sont pas."
        ),
        (
            "Power for an effect and the detectable ratio come from the intervals' width by the normal "
            "approximation, for the step that the model uses; confounding and measurement error are not in "
            "them."
        ),
    ),
    "rehearsal_note_few": (
        ("Avec peu de répliques, l'intervalle d'une part est large : c'est lui qu'il faut lire, non la part."),
        "With few replicates the interval of a share is wide: read it rather than the share.",
    ),
    "provenance": ("Provenance", "Provenance"),
    "run": ("Exécution", "Run"),
    "preset": ("Préréglage", "Preset"),
    "no_preset": ("aucun (valeurs par défaut)", "none (defaults)"),
    "own_values": ("aucun (valeurs données à la main)", "none (values given by hand)"),
    "finished": ("Terminée", "Finished"),
    "duration": ("Durée", "Duration"),
    "memory": ("Mémoire maximale", "Peak memory"),
    "confinement": ("Confinement", "Confinement"),
    "network_refused": ("sans réseau", "without network"),
    "network_told": (
        "réseau refusé à Python seulement (le système ne sait pas le refuser)",
        "network refused to Python only (the system cannot refuse it)",
    ),
    "writes_refused": (
        "rien d'écrit hors du dossier de l'exécution",
        "nothing written outside the run's folder",
    ),
    "writes_told": (
        "écriture ailleurs refusée à Python seulement (le système ne sait pas la refuser)",
        "writing elsewhere refused to Python only (the system cannot refuse it)",
    ),
    "writes_open": ("écriture ailleurs non refusée", "writing elsewhere not refused"),
    "executed_because": ("Pourquoi exécutée", "Why it was executed"),
    "data": ("Données", "Data"),
    "extraction": ("extraction du {date}", "extracted on {date}"),
    "fingerprint": ("Empreinte des données", "Data fingerprint"),
    "no_workspace": ("l'étude ne lit pas d'espace de travail", "the study reads no workspace"),
    "code": ("Code", "Code"),
    "commit": ("commit {commit}", "commit {commit}"),
    "commit_modified": ("commit {commit}, modifié depuis", "commit {commit}, modified since"),
    "study_digest": ("Empreinte de l'étude", "Study digest"),
    "gate": ("Contrôle de sortie", "Disclosure gate"),
    "gate_text": (
        "{outputs} sorties contrôlées, {hidden} cellules masquées, {left_out} sorties de notebook laissées de côté",
        "{outputs} outputs checked, {hidden} cells hidden, {left_out} notebook outputs left out",
    ),
    "packages": ("Versions des bibliothèques", "Library versions"),
    "steps": ("Durée par notebook", "Time by notebook"),
    "notebooks": ("Notebooks", "Notebooks"),
    "notebooks_text": (
        "Le code exécuté, cellule par cellule, avec les sorties qui ont passé le contrôle.",
        "The code that ran, cell by cell, with the outputs that passed the gate.",
    ),
    "notebook": ("Notebook", "Notebook"),
    "checklist": ("Grille de présentation", "Reporting checklist"),
    "checklist_text": (
        "Où l'étude répond à chaque point des recommandations STROBE et RECORD. Les sujets sont nommés dans nos mots ; "
        "les recommandations elles-mêmes font foi.",
        "Where the study answers each item of the STROBE and RECORD guidelines. Subjects are named in our words; the "
        "guidelines themselves hold.",
    ),
    "item": ("Point", "Item"),
    "subject": ("Sujet", "Subject"),
    "where": ("Où", "Where"),
    "not_applicable": ("sans objet", "not applicable"),
    "pointer_protocol": ("protocole", "protocol"),
    "pointer_result": ("résultat", "result"),
    "seconds": ("Secondes", "Seconds"),
    "cell": ("Cellule", "Cell"),
    "injected": ("Paramètres de cette exécution", "Parameters of this run"),
    "left_out_one": (
        "Sortie laissée de côté : elle n'est pas passée par epi.output.",
        "Output left out: it did not pass through epi.output.",
    ),
    "left_out_many": (
        "{count} sorties laissées de côté : elles ne sont pas passées par epi.output.",
        "{count} outputs left out: they did not pass through epi.output.",
    ),
    "left_out_changed": (
        "Sortie laissée de côté : elle n'est plus ce que le contrôle avait laissé passer.",
        "Output left out: it is no longer what the gate let through.",
    ),
    "left_out_form": (
        "Sortie laissée de côté : seuls une image PNG ou un tableau HTML du contrôle sont montrés.",
        "Output left out: only a PNG picture or an HTML table of the gate is shown.",
    ),
    "left_out_identifier": (
        "Cellule laissée de côté : son texte a la forme d'un identifiant.",
        "Cell left out: its text is shaped like an identifier.",
    ),
    "left_out_level": (
        "Sortie réservée : niveau « {level} ».",
        "Output kept back: level “{level}”.",
    ),
    "image_left_out": ("image laissée de côté : {alt}", "picture left out: {alt}"),
    "other_runs": ("Autres exécutions de cette étude", "Other runs of this study"),
    "differs": ("Ce qui diffère", "What differs"),
    "same_parameters": ("mêmes paramètres", "same parameters"),
    "apart_small": (
        "non montrée : à côté d'une exécution montrée, ses effectifs révéleraient quelques personnes",
        "not shown: beside a run that is, its counts would tell of few persons",
    ),
    "apart_version": (
        "non montrée : produite par une version antérieure, elle ne peut pas être comparée",
        "not shown: made by an earlier version, it cannot be compared",
    ),
    "apart_altered": (
        "non montrée : ses fichiers ont changé depuis l'exécution, elle ne peut pas être comparée",
        "not shown: its files have changed since the run, it cannot be compared",
    ),
    "apart_beside": (
        "non montrée : elle ne peut pas être comparée à l'exécution montrée",
        "not shown: it cannot be compared with the run that is",
    ),
    "status": ("État", "Status"),
    "status_done": ("terminée", "done"),
    "status_failed": ("échouée", "failed"),
    "status_running": ("en cours", "running"),
    "status_never": ("jamais exécutée", "never run"),
    "failed_text": (
        "L'exécution {run} n'est pas allée au bout : {cause}",
        "Run {run} did not reach its end: {cause}",
    ),
    "failed_at": ("{notebook}, cellule {cell} : {cause}", "{notebook}, cell {cell}: {cause}"),
    "no_end": ("elle a été arrêtée.", "it was stopped."),
    "never_text": ("Cette étude n'a pas encore été exécutée ici.", "This study has not been run here yet."),
    "read_study": ("Lire l'étude", "Read the study"),
    "home": ("Toutes les études", "All studies"),
    "language": ("English", "Français"),
    "on_this_page": ("Sur cette page", "On this page"),
    "skip": ("Aller au contenu", "Skip to content"),
    "footer": (
        "Page statique produite par epi {version}. Aucune donnée individuelle.",
        "Static page made by epi {version}. No individual data.",
    ),
    "note": ("Note", "Note"),
    "no_results": ("Aucun résultat n'a été enregistré.", "No result was recorded."),
}

_BEFORE = re.compile(r" ([:;?!»%])")
_AFTER = re.compile(r"« ")


def french(text: str) -> str:
    r"""Put the spaces that French typography wants before its punctuation.

    Parameters
    ----------
    text : str
        A French text with plain spaces.

    Returns
    -------
    str
        The text with no-break spaces.

    Examples
    --------
    >>> french("Règle : 5 %").encode("ascii", "backslashreplace")
    b'R\\xe8gle\\xa0: 5\\u202f%'
    """
    spaced = _BEFORE.sub(lambda found: ("\u00a0" if found[1] in ":»" else "\u202f") + found[1], text)
    return _AFTER.sub("«\u00a0", spaced)


def word(key: str, lang: str, **values: object) -> str:
    """Give a text of the frame.

    Parameters
    ----------
    key : str
        Its name.
    lang : {"fr", "en"}
        The language.
    **values : object
        What to fill in.

    Returns
    -------
    str
        The text.
    """
    text = _WORDS[key][LANGS.index(lang)]
    filled = text.format(**values) if values else text
    return french(filled) if lang == "fr" else filled


def keys() -> tuple[str, ...]:
    """List the names of all texts.

    Returns
    -------
    tuple of str
        The names.
    """
    return tuple(_WORDS)
