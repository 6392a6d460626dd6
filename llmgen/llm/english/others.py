"""The commonest words of other languages: little words that hold any sentence together, and what pictures show.

Not to translate them, only to know that a prompt is not English. What English has as well ("chat", "rose", "son") proves nothing alone.
"""

from typing import Final


def _words(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


LITTLE_WORDS: Final = _words(
    # German, French, Spanish, Italian, Portuguese, Dutch
    "der das und ein eine einen einem einer eines auf neben unter über mit ohne zwei drei vier fünf vor hinter im zum zur ist sind "
    "nicht kein keine auch rechts links von einige viele dem den des zwischen zu beim vom",
    "un une le la les et sur sous dans avec sans deux trois quatre du au aux est sont l' d' côté près devant derrière entre gauche",
    "el los las y una unos unas con sin sobre debajo encima junto dos tres cuatro al del es son en delante detrás izquierda derecha",
    "il lo gli uno e su sotto senza due tre quattro di della di del nel nella vicino sopra accanto sono davanti dietro da sul sulla dal",
    "um uma os em no na nos nas com sem dois três ao do duas perto embaixo cima esquerda direita",
    "een het op onder naast met zonder twee drie vier en van bij achter voor",
    # Swedish, Norwegian, Danish, Finnish
    "ett och på utan två tre fyra bredvid är av med jag og et uten ved siden af uden ja kaksi kolme alla päällä vieressä ilman",
    # Polish, Czech, Croatian, Romanian, Hungarian, Turkish
    "na obok dwa dwie trzy bez jest nad przed dva dvě tři vedle před vedla pored și cu fără doi două trei pe lângă un "
    "egy és két három alatt mellett előtt ve bir iki üç ile üzerinde altında yanında arasında",
    # Indonesian, Vietnamese, Hindi and Japanese and Chinese in Latin letters
    "atas bawah dengan tiga seekor sebuah dan dua samping một hai con màu và trên aur ek ke mein hai "
    "wa ga ni wo ue mae shita yoko desu aru iru yi zhi liang zai he de shang",
) - _words("a i o do to on no son bin man in an war six at for are us es me en est sub pod alla im e z w y he ja hai aru we")  # fmt: skip
"""Without those that are words of English prompts, or that are more often parts of names."""

GERMAN: Final = _words(
    "hund hunde katze katzen haus häuser baum bäume auto autos ball bälle junge mädchen mann männer frau frauen kind kinder vogel vögel "
    "pferd fisch blume blumen apfel äpfel tisch stuhl straße strand wald garten himmel see berg boot burg rot rote roter rotes roten blau "
    "blaue blauer blaues blauen grün grüne grüner grünes gelb gelbe gelber gelbes schwarz schwarze schwarzer schwarzes weiß weiße weißer "
    "weißes groß große großer großes klein kleine kleiner kleines hut stern herz ritter wiese bild meer sonne mond wasser schnee "
    "fluss brücke turm tier tiere schläft sitzt steht spielt isst",
)  # fmt: skip
"""The one language whose nouns begin with a capital."""
PICTURED: Final = GERMAN | _words(
    # French
    "chien chiens chat chats maison arbre arbres voiture balle ballon garçon fille homme femme enfant enfants oiseau cheval poisson fleur "
    "fleurs pomme pommes chaise rue plage forêt jardin ciel lac montagne bateau rouge rouges bleu bleue vert verte jaune noir noire blanc "
    "blanche grand grande petit petite chapeau vélo étoile coeur cœur dort mange",
    # Spanish
    "perro perros gato gatos casa árbol árboles coche carro pelota niño niña niños hombre mujer pájaro caballo pez flor flores manzana "
    "manzanas mesa silla calle playa bosque jardín cielo lago montaña barco rojo roja rojos azul azules verde amarillo amarilla negro "
    "negra blanco blanca grande pequeño pequeña sombrero bicicleta estrella corazón libro",
    # Italian
    "cane cani gatto gatti albero macchina palla ragazzo ragazza uomo donna bambino bambina uccello cavallo pesce fiore fiori mela mele "
    "tavolo sedia strada spiaggia giardino cielo barca rosso rossa blu giallo gialla nero nera bianco bianca piccolo piccola cappello "
    "stella cuore dorme ombrello bicicletta",
    # Portuguese
    "cachorro cachorros bola menino menina homem mulher criança pássaro cavalo peixe maçã cadeira rua praia floresta céu vermelho "
    "vermelha amarelo preto branco pequeno chapéu árvore mar",
    # Dutch
    "hond honden kat katten huis boom bomen bal jongen meisje vrouw kinderen paard bloem bloemen appel stoel straat bos tuin lucht rode "
    "rood blauw blauwe groen groene geel gele zwart zwarte wit witte grote kleine hoed fiets",
    # Swedish, Norwegian, Danish
    "hundar katt katter katten hus träd bil bilar boll pojke pojken flicka kvinna fågel häst fisk blomma äpple bord stol gata skog "
    "himmel röd rött röda blå blått grön grönt gul gult svart vit stor liten hatt bilen tre eple gutt jente rød dreng pige",
    # Polish, Czech, Croatian
    "pies psy kot koty dom drzewo piłka chłopiec dziewczyna dziewczyny kobieta mężczyzna dziecko ptak koń ryba kwiat jabłko stół krzesło "
    "ulica plaża las ogród niebo czerwony czerwona czerwone niebieski zielony żółty czarny biały duży mały kapelusz samochód pes psi kočka "
    "míč dům strom auto červený červená modrý modrá crvena crveni lopta pas mačka kuća plava",
    # Romanian, Hungarian, Turkish, Finnish
    "pisică pisici câine câini masă mașină copil roșu roșie kutya macska labda piros kék zöld autó ház fa köpek kedi top ev araba ağaç "
    "çocuk kız adam kadın kuş elma masa kırmızı mavi yeşil sarı siyah beyaz büyük küçük koira kissa talo pallo auto poika tyttö punainen "
    "sininen vihreä",
    # Indonesian, Vietnamese, Hindi
    "anjing kucing bola merah biru hijau kuning hitam putih rumah pohon mobil meja taman besar kecil chó mèo nhà đỏ kutta kutte billi lal "
    "gend ghar ped",
    # Japanese, Chinese, Korean
    "inu neko kuruma ringo otoko onna tsukue akai aoi kiroi kuroi shiroi ookii chiisai booru mao gou qiu fangzi goyangi ppalgan",
)  # fmt: skip
