"""What captions say, beside how they say it: their content words, and how many of those a person wrote of the photo.

Content words are all but the closed classes of English: articles, determiners, pronouns, prepositions, conjunctions and
auxiliaries, as `FUNCTION_WORDS` lists them. Numbers are content: "two dogs" claims something. Words are compared as
they are written, so that "dogs" in a reference is not the "dog" of a caption.
"""

from collections.abc import Sequence

_LIST = """
a an the this that these those some any no each every either neither both all another other others such same own
i me my mine you your yours he him his himself she her hers herself it its itself we us our ours they them their theirs
themselves one ones who whom whose which what something someone somebody
about above across after against along alongside amid among around as at atop away before behind below beneath beside
besides between beyond by down during except for from in inside into like near nearby next of off on onto out outside
over past per through throughout to toward towards under underneath until up upon via with within without
and or but nor so if than then while when where whether because although though
am is are was were be been being do does did done doing have has had having can could will would shall should may might
must not n't 's 're 've 'll 'm 'd there here also just too very how why
"""
FUNCTION_WORDS = frozenset(_LIST.split())

RULE = (
    f"content words: of the captions' words that are not among {len(FUNCTION_WORDS)} function words "
    "(training/data/content_words.py), the share that any reference of the photo has, x 100"
)


def count_found(caption: str, references: Sequence[str]) -> tuple[int, int]:
    """Of a caption's content words, how many some reference has, and how many there are.

    Words are separated by spaces.
    """
    written = {word for reference in references for word in reference.split()}
    content = [word for word in caption.split() if word not in FUNCTION_WORDS]
    return sum(word in written for word in content), len(content)
