"""From the bytes of a photo to its caption: the library without a server.

The HTTP service, the command line and the evaluation all use `Captioner`.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Self

import numpy as np

from photocaption.caption import (
    Alternative,
    Caption,
    CaptionOptions,
    Description,
    ImageInfo,
    PreparedImage,
    Timings,
    Word,
)
from photocaption.image.pool import Decode, decode_here
from photocaption.image.source import Photo, read_photo
from photocaption.image.worker import Target
from photocaption.model import cpu
from photocaption.model.beam_search import Hypothesis, SearchOptions, search
from photocaption.model.bundle import Bundle, find_bundle, use_bundle
from photocaption.model.confidence import compute_confidence
from photocaption.model.instructions import find_capped_instructions, find_instructions
from photocaption.model.manifest import SearchDefaults
from photocaption.model.runtime import Decoder, Encoder, EngineName, Floats, RuntimeName
from photocaption.model.sentence import agree_articles, write_alt_text
from photocaption.model.trigrams import Trigrams
from photocaption.model.vocabulary import Vocabulary

_DEFAULTS = CaptionOptions()
# How much larger a photo has to be decoded than it will be resized to. On 16 photos of 1 to 18 megapixels, the pooled
# features at 1.5 have a cosine of 0.9994 to those of all pixels; at 2 it is 0.9996, at 1 it is 0.9986. A photo of 1
# megapixel is read twice as fast at 1.5 as at 2.
_SUFFICIENT = 1.5
# How many words without cost the search grants a hypothesis that might still win. On 1,000 photos two give the same
# captions, all but one, as all words up to the longest sentence, in 12.9 instead of 15.7 steps.
_LOOKAHEAD = 2


class Captioner:
    """Captions photos with a bundle. It is immutable, so that threads may share it."""

    def __init__(self, bundle: Bundle, encoder: Encoder, decoder: Decoder, decode: Decode = decode_here) -> None:
        """Use any encoder and decoder that fit the bundle; `load` opens those of the bundle."""
        self.bundle = bundle
        self.encoder = encoder
        self.decoder = decoder
        self._decode = decode
        self._search = configure_search(bundle.manifest.decoding, bundle.vocabulary, bundle.trigrams)

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        runtime: RuntimeName = "onnx",
        engine: EngineName | None = None,
        threads: int | None = None,
        workers: int = 1,
        decode: Decode = decode_here,
    ) -> Self:
        """Verify the bundle, without a `path` the one of `find_bundle`, and load its weights.

        `engine`: what encodes for the runtime `onnx`; None takes what the variable CAPTION_ENGINE says, else the one
        that suits the processor. `threads`: cores that the model may use; None takes all that the process has.
        `workers`: how many batches are captioned at the same time under load, each with its share of the cores.
        `decode`: what decodes photos, such as a `DecodePool`'s; by default it is done in this process. Raises
        BundleError.
        """

        def open_parts(bundle: Bundle) -> tuple[Bundle, Encoder, Decoder]:
            return bundle, *_open_runtime(bundle, runtime, engine, threads or cpu.count_cores(), workers)

        return cls(*use_bundle(path or find_bundle(), open_parts), decode)

    @property
    def engine(self) -> str:
        """The library that encodes: `onnxruntime`, `openvino` or `tensorflow`."""
        return self.encoder.engine

    @property
    def instructions(self) -> str:
        """The best instruction set of the processor that the engine may use, such as avx512_vnni."""
        return find_capped_instructions() if self.engine == "openvino" else find_instructions()

    def prepare(self, data: bytes, sha256: str | None = None, *, brief: bool = False) -> PreparedImage:
        """Decode a photo and bring it to the encoder's input size; `sha256` of it, in hex, where it is known already.

        Raises ImageError, and what `decode` raises; with `brief`, LongDecodingError for a photo that takes long.
        """
        begun = perf_counter()
        spec = self.bundle.manifest.image
        sufficient_side = round(_SUFFICIENT * (spec.canonical_size or max(spec.height, spec.width)))
        target = Target(spec.width, spec.height, spec.canonical_size, sufficient_side, brief)
        pixels, properties = self._decode(data, target)
        info = ImageInfo(**asdict(properties), sha256=sha256 or hashlib.sha256(data).hexdigest())
        return PreparedImage(pixels, info, decode_ms=_milliseconds_since(begun))

    def describe(
        self, images: Sequence[PreparedImage], options: CaptionOptions = _DEFAULTS, *, concurrent: bool = False
    ) -> list[Caption]:
        """Caption photos as one batch, in their order; `concurrent`: other batches are captioned at the same time.

        Only the search is faster in batches: the encoder is not, and would need memory for each photo of a batch.
        """
        if not images:
            return []
        begun = perf_counter()
        encoded = [self.encoder.encode(image.pixels[None], concurrent=concurrent) for image in images]
        features = encoded[0] if len(encoded) == 1 else np.concatenate(encoded)
        encode_ms = _milliseconds_since(begun)
        begun = perf_counter()
        descriptions = self.describe_features(features, options)
        generate_ms = _milliseconds_since(begun)
        return [
            Caption(
                **{field.name: getattr(description, field.name) for field in fields(description)},
                image=prepared.info,
                timings=Timings(decode=prepared.decode_ms, encode=encode_ms, generate=generate_ms),
            )
            for prepared, description in zip(images, descriptions, strict=True)
        ]

    def describe_features(self, features: Floats, options: CaptionOptions = _DEFAULTS) -> list[Description]:
        """Describe photos of which the features are known, float32 [photos, cells, channels]: evaluation keeps them."""
        asked = replace(
            self._search,
            beam_width=options.beam_width or self._search.beam_width,
            results=1 + options.alternatives,
            attention=options.attention,
        )
        found = search(self.decoder, features, asked, self.bundle.manifest.tokens)
        return [self._write(hypotheses) for hypotheses in found]

    def caption(self, photo: Photo, options: CaptionOptions = _DEFAULTS) -> Caption:
        """Caption one photo: a path, its bytes, or a Pillow image. Raises ImageError, OSError, TypeError."""
        return self.describe([self.prepare(read_photo(photo))], options)[0]

    def _write(self, hypotheses: Sequence[Hypothesis]) -> Description:
        best, *others = hypotheses
        return Description(
            **asdict(self._write_alternative(best)),
            words=tuple(_pair_words(self._list_words(best), best)),
            evidence=best.evidence,
            strongest=best.strongest,
            alternatives=tuple(self._write_alternative(other) for other in others),
        )

    def _write_alternative(self, hypothesis: Hypothesis) -> Alternative:
        return Alternative(
            caption=" ".join(self._list_words(hypothesis)),
            alt_text=write_alt_text(self.bundle.vocabulary.spell(hypothesis.tokens), english=self._is_english()),
            confidence=compute_confidence(hypothesis, self.bundle.manifest.confidence),
            log_probability=hypothesis.log_probability,
        )

    def _list_words(self, hypothesis: Hypothesis) -> list[str]:
        words = self.bundle.vocabulary.decode(hypothesis.tokens)
        return agree_articles(words) if self._is_english() else words

    def _is_english(self) -> bool:
        """Whether captions may be English: vocabularies that extend an English one contain "the"."""
        return "the" in self.bundle.vocabulary


def configure_search(decoding: SearchDefaults, vocabulary: Vocabulary, trigrams: Trigrams | None) -> SearchOptions:
    """How a bundle searches that has these defaults, words, and sequences of three words."""
    encode, repeatable = vocabulary.encode, decoding.repeatable_words
    return SearchOptions(
        beam_width=decoding.beam_width,
        length_penalty=decoding.length_penalty,
        max_length=decoding.max_length,
        repeatable=None if repeatable is None else frozenset(encode(repeatable)),
        unfinished=frozenset(encode(decoding.unfinished_words)),
        trigrams=trigrams,
        rare_cost=decoding.rare_cost,
        skipped=frozenset(encode(decoding.skipped_words)),
        reranking=decoding.reranking,
        lookahead=_LOOKAHEAD,
    )


def _open_runtime(
    bundle: Bundle, runtime: RuntimeName, engine: EngineName | None, threads: int, workers: int
) -> tuple[Encoder, Decoder]:
    if runtime == "tensorflow":
        from photocaption.model.tensorflow_runtime import open_saved_model  # TensorFlow is optional, and slow to import

        return open_saved_model(bundle, threads=threads)
    from photocaption.model.engine import open_encoder  # loaded only with a model, to save memory
    from photocaption.model.onnx_runtime import OnnxDecoder

    return open_encoder(bundle, engine, threads=threads, workers=workers), OnnxDecoder(bundle)


def _pair_words(words: Sequence[str], hypothesis: Hypothesis) -> list[Word]:
    attention = hypothesis.attention
    return [
        Word(
            word,
            probability=math.exp(log_probability),
            attention=None if attention is None else tuple(attention[position].tolist()),
        )
        for position, (word, log_probability) in enumerate(zip(words, hypothesis.log_probabilities, strict=False))
    ]


def _milliseconds_since(begun: float) -> float:
    return (perf_counter() - begun) * 1000
