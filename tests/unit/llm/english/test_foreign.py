"""Names that no lexicon knows are English; sentences of other languages are not."""

import pytest

from llmgen.llm.english.foreign import is_foreign
from llmgen.llm.english.tokens import tokenize_prompt

ENGLISH = """Darth Vader in Kyoto|darth vader in kyoto|Las Vegas at night|Taylor Swift in Rio de Janeiro|La La Land|Notre Dame de Paris
hatsune miku|Goku vs Vegeta|optimus prime versus megatron|Machu Picchu in fog|Björk in Reykjavik|Der Spiegel on a table|a neko girl
Obi-Wan Kenobi on Tatooine|Baba Yaga's hut|Ludwig Mies van der Rohe's pavilion|Dia de los Muertos skull|Ariana Grande in Boca Raton
a plate of pain au chocolat on a wooden table|an IKEA Poäng chair|El Greco in Toledo|Die Zauberflöte on a stage|Malmö harbour
Astérix and Obelix in Lutetia|a red van near a den|Sagrada Familia in Barcelona|Otto von Bismarck on horseback|Totoro eating ramen"""
OTHERS = """Ein Hund im Garten|Hund im Garten|Mann mit Hut|drei Äpfel und zwei Birnen|Sonnenuntergang am Meer|Das Auto steht vor dem Haus
Le chat dort|chien rouge|Femme avec un chapeau|Trois pommes vertes dans un panier|perro rojo|El niño come una manzana|Mujer con sombrero
Un cane rosso|Donna in bicicletta|La ragazza mangia una mela|Een hond in de tuin|Man met hoed|Um cachorro na praia|Mulher de chapéu
Dwa psy na plaży|Kot śpi na stole|Słoń za żyrafą|En hund i trädgården|Kvinna med hatt|Barn som spelar fotboll|Kırmızı bir top
Masanın üzerinde bir kedi|Çocuklar futbol oynuyor|Pes a kočka|Piros labda egy kék autó mellett|Punainen pallo sinisen auton vieressä
Două pisici pe masă|Seekor anjing di taman|một con chó màu đỏ|ek lal gend|akai neko to aoi inu|ki no ue no tori|yi zhi gou he liang zhi mao
一只红色的狗|赤いボールの横に青い車|красный мяч рядом с машиной|빨간 공|كلب في الحديقة|एक लाल गेंद|Mbwa wawili barabarani"""


def _lines(text: str) -> list[str]:
    return text.replace("\n", "|").split("|")


@pytest.mark.parametrize("prompt", _lines(ENGLISH))
def test_names_and_borrowed_words_are_english(prompt):
    assert not is_foreign(tokenize_prompt(prompt))


@pytest.mark.parametrize("prompt", _lines(OTHERS))
def test_other_languages_are_not(prompt):
    assert is_foreign(tokenize_prompt(prompt))
