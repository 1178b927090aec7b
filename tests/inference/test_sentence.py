"""A caption as the model writes it, and as a person would."""

import pytest

from photocaption.model.sentence import agree_articles, write_alt_text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("a dog runs through the grass", "A dog runs through the grass."),
        ("a man 's dog is n't running", "A man's dog isn't running."),
        ("a dog , a cat and a man", "A dog, a cat and a man."),
        ("a t - shirt", "A t-shirt."),
        ("a black-and-white dog", "A black-and-white dog."),
        ("what i see", "What I see."),
        ("i see an icy hill in iowa", "I see an icy hill in iowa."),
        ("two dogs ( one brown ) play", "Two dogs (one brown) play."),
        ("a dog jumps .", "A dog jumps."),
        ("is this a dog ?", "Is this a dog?"),
        ("a dog jumps ,", "A dog jumps."),
        ("3 dogs", "3 dogs."),
        ("école", "École."),
        ("dogs", "Dogs."),
        ("a german shepherd and an african - american man", "A German shepherd and an African-American man."),
        ("a man in a santa hat watches tv", "A man in a Santa hat watches TV."),
        ("a man looks at a ocean", "A man looks at an ocean."),
        ("a orange umbrella and a unusual hat", "An orange umbrella and an unusual hat."),
        (
            "a uniform , a european and a one-armed man in a used car",
            "A uniform, a European and a one-armed man in a used car.",
        ),
        ("ein Hund und eine American Bulldogge", "Ein Hund und eine American Bulldogge."),
        ("a American flag and a European one", "An American flag and a European one."),
        ("an suv and a umbrella", "An SUV and an umbrella."),
        ("germans polish china for a turkey", "Germans polish china for a turkey."),
    ],
)
def test_the_alternative_text_is_a_sentence(words: str, sentence: str) -> None:
    assert write_alt_text(words.split()) == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("perros a orillas de playas", "Perros a orillas de playas."),
        ("uomini con i cani", "Uomini con i cani."),
    ],
)
def test_other_languages_have_no_rules_of_english(words: str, sentence: str) -> None:
    assert write_alt_text(words.split(), english=False) == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("un perro a orillas de la playa santa", "Un perro a orillas de la playa santa."),
        ("un uomo con i cani a una festa", "Un uomo con i cani a una festa."),
        ("uma mulher a andar", "Uma mulher a andar."),
        ("ein Jeep und eine Frau in american football", "Ein Jeep und eine Frau in american football."),
    ],
)
def test_a_sentence_of_another_language_is_known_by_its_articles(words: str, sentence: str) -> None:
    assert write_alt_text(words.split()) == sentence


@pytest.mark.parametrize(
    ("words", "agreeing"),
    [
        ("a man 's dog", "a man 's dog"),
        (
            "a umbrella under a orange , a uniform in a empty t - shirt",
            "an umbrella under an orange , a uniform in an empty t - shirt",
        ),
        ("uma mulher a andar", "uma mulher a andar"),
        ("a", "a"),
    ],
)
def test_articles_agree_with_what_follows(words: str, agreeing: str) -> None:
    assert agree_articles(words.split()) == agreeing.split()
