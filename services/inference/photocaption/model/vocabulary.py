"""Token ids and the words they stand for: what the decoder speaks, and what people read."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from photocaption.model.manifest import SpecialTokens


@dataclass(frozen=True)
class Vocabulary:
    """Words by token id, the special tokens among them.

    `words[id]` is the word of a token, as it is written where no sentence begins: "dog", "Hund". Every word stands
    once, whatever the case of its letters.
    """

    words: tuple[str, ...]
    tokens: SpecialTokens
    _lower: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lower", tuple(word.lower() for word in self.words))
        object.__setattr__(self, "_ids", {word: token for token, word in enumerate(self._lower)})

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word.lower() in self._ids

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The words of token ids, in lower case. Raises IndexError for an id outside the vocabulary."""
        return [self._lower[token] for token in ids]

    def spell(self, ids: Iterable[int]) -> list[str]:
        """The words of token ids as they are written. Raises IndexError for an id outside the vocabulary."""
        return [self.words[token] for token in ids]

    def encode(self, words: Iterable[str]) -> list[int]:
        """The token ids of words in lower case, `tokens.unknown` for those that are not in the vocabulary."""
        return [self._ids.get(word, self.tokens.unknown) for word in words]
