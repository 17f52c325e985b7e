"""The words of the synthetic feed: twelve topics in four languages, and pools of everyday words and names."""

from typing import Final

from faker import Faker

LANGUAGES: Final = {"en": "en_US", "de": "de_DE", "es": "es_ES", "fr": "fr_FR"}
_EVERYDAY_WORDS: Final = 240

TOPICS: Final[dict[str, dict[str, str]]] = {
    "cooking": {
        "en": "recipe oven garlic butter simmer spices kitchen dough roast soup flavour vegetables",
        "de": "rezept ofen knoblauch butter köcheln gewürze küche teig braten suppe geschmack gemüse",
        "es": "receta horno ajo mantequilla hervir especias cocina masa asado sopa sabor verduras",
        "fr": "recette four ail beurre mijoter épices cuisine pâte rôti soupe saveur légumes",
    },
    "football": {
        "en": "match goal striker league penalty keeper coach stadium transfer derby season offside",
        "de": "spiel tor stürmer liga elfmeter torwart trainer stadion wechsel derby saison abseits",
        "es": "partido gol delantero liga penalti portero entrenador estadio fichaje derbi temporada ataque",
        "fr": "match but attaquant ligue penalty gardien entraîneur stade transfert derby saison défense",
    },
    "photography": {
        "en": "lens aperture shutter exposure portrait landscape tripod focus light darkroom film sensor",
        "de": "objektiv blende verschluss belichtung porträt landschaft stativ fokus licht labor film sensor",
        "es": "objetivo apertura obturador exposición retrato paisaje trípode enfoque luz revelado grano",
        "fr": "objectif ouverture obturateur exposition portrait paysage trépied netteté lumière grain",
    },
    "programming": {
        "en": "compiler function thread database refactor test deploy bug library interface memory cache",
        "de": "compiler funktion thread datenbank umbauen test ausliefern fehler bibliothek speicher puffer",
        "es": "compilador función hilo base prueba despliegue error biblioteca interfaz memoria código rama",
        "fr": "compilateur fonction fil base test déploiement erreur bibliothèque interface mémoire code",
    },
    "gardening": {
        "en": "soil seeds compost tomatoes prune watering greenhouse roses harvest mulch frost bulbs",
        "de": "erde samen kompost tomaten schneiden gießen gewächshaus rosen ernte mulch frost zwiebeln",
        "es": "tierra semillas compost tomates podar riego invernadero rosas cosecha mantillo helada bulbos",
        "fr": "terre graines compost tomates tailler arrosage serre roses récolte paillage gel bulbes",
    },
    "music": {
        "en": "guitar chorus album vinyl rhythm concert melody drummer bass playlist studio encore",
        "de": "gitarre refrain album schallplatte rhythmus konzert melodie schlagzeug bass studio zugabe",
        "es": "guitarra estribillo álbum vinilo ritmo concierto melodía batería bajo estudio gira canción",
        "fr": "guitare refrain album vinyle rythme concert mélodie batteur basse studio tournée chanson",
    },
    "travel": {
        "en": "train hostel passport coast backpack border island ticket museum sunset market ferry",
        "de": "zug herberge reisepass küste rucksack grenze insel fahrkarte museum markt fähre strand",
        "es": "tren albergue pasaporte costa mochila frontera isla billete museo atardecer mercado playa",
        "fr": "train auberge passeport côte frontière île billet musée marché traversier plage valise",
    },
    "cycling": {
        "en": "saddle chain gravel climb derailleur helmet peloton tyre sprint brakes commute wheels",
        "de": "sattel kette schotter anstieg schaltung helm feld reifen sprint bremsen pendeln räder",
        "es": "sillín cadena grava subida cambio casco pelotón neumático frenos ruedas puerto etapa",
        "fr": "selle chaîne gravier montée dérailleur casque peloton pneu freins roues col étape",
    },
    "books": {
        "en": "novel chapter author poetry library paperback plot narrator translation essay shelf ending",
        "de": "roman kapitel autor lyrik bücherei taschenbuch handlung erzähler übersetzung essay regal ende",
        "es": "novela capítulo autor poesía librería bolsillo trama narrador traducción ensayo estante final",
        "fr": "roman chapitre auteur poésie librairie poche intrigue narrateur traduction essai étagère fin",
    },
    "astronomy": {
        "en": "telescope orbit galaxy eclipse nebula comet planet lunar star meteor mount constellation",
        "de": "teleskop umlaufbahn galaxie finsternis nebel komet planet mond stern meteor sternbild",
        "es": "telescopio órbita galaxia eclipse nebulosa cometa planeta luna estrella meteoro constelación",
        "fr": "télescope orbite galaxie éclipse nébuleuse comète planète lune étoile météore constellation",
    },
    "film": {
        "en": "director scene screenplay actor sequel camera thriller festival editing premiere cast",
        "de": "regie szene drehbuch schauspieler fortsetzung kamera thriller festival schnitt premiere kino",
        "es": "director escena guion actriz secuela cámara suspense festival montaje estreno diálogo cine",
        "fr": "réalisateur scène scénario actrice suite caméra festival montage première dialogue cinéma",
    },
    "health": {
        "en": "sleep running stretching nutrition breathing marathon injury physio rest yoga pulse protein",
        "de": "schlaf laufen dehnen ernährung atmung marathon verletzung physio ruhe yoga puls eiweiß",
        "es": "sueño correr estirar nutrición respiración maratón lesión fisio descanso yoga pulso proteína",
        "fr": "sommeil course étirement nutrition respiration marathon blessure kiné repos yoga pouls",
    },
}


def everyday_words(language: str) -> list[str]:
    """Words of no topic, always the same ones."""
    return list(dict.fromkeys(_faker(language).words(nb=_EVERYDAY_WORDS)))


def first_names(language: str) -> list[str]:
    """Given names, always the same ones."""
    fake = _faker(language)
    return list(dict.fromkeys(fake.first_name() for _ in range(120)))


def _faker(language: str) -> Faker:
    fake = Faker(LANGUAGES[language])
    fake.seed_instance(20_260_101)  # the pools belong to the vocabulary, not to the seed of one feed
    return fake
