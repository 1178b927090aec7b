"""Every setting of the training job: typed, with its default and the reason for it, in one place.

A TOML file and `section.name=value` words on the command line override the defaults, in that order. The resolved
configuration is saved in the run directory and inside the bundle.
"""

import copy
import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from photocaption.model.manifest import Reranking
from training.errors import ConfigurationError

_REPEATABLE_WORDS = tuple(
    "a an the in on of with is are and to at by two 's his her their its for from as while through near other".split()  # noqa: SIM905
)


class Section(BaseModel):
    """A part of the configuration: unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EncoderConfig(Section):
    """The convolutional network that reads the photo."""

    size: int = Field(299, ge=75, le=512)
    """Side of the square input in pixels; 299 is what Xception was trained at."""

    canonical_size: int | None = Field(224, ge=32)
    """Side to which a photo is squashed first; the width of Flickr8k's photos here. null resizes in one step."""

    precision: Literal["float32", "int8"] = "int8"
    """int8 is a quarter of the size and more than twice as fast; the decoder is trained on its features."""

    calibration_photos: int = Field(128, ge=1)
    """Training photos from which the ranges of int8 activations are measured."""


class DecoderConfig(Section):
    """The recurrent network that generates the sentence."""

    architecture: Literal["attention", "pooled"] = "attention"
    """`attention` attends to the grid for each word; `pooled` reads one vector for the photo, as a baseline."""

    units: int = Field(512, ge=4)
    """Size of the word embedding, of the LSTM's state and of the projected features."""

    heads: int = Field(8, ge=1)
    """Attention heads; `units` is divided among them."""

    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of features, embeddings and outputs dropped in training; 6,000 photos overfit fast."""

    precision: Literal["float32", "int8"] = "int8"
    """Of the published matrices: int8 is a quarter of the file, and of the memory that every step reads, which takes
    most of its time. It does not influence the training.
    """

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.units % self.heads:
            msg = f"units ({self.units}) must be divisible by heads ({self.heads})"
            raise ValueError(msg)
        return self


class VocabularyConfig(Section):
    """Which words the model knows."""

    min_count: int = Field(5, ge=1)
    """Words rarer than this in the training captions become <unknown>, which is never emitted."""

    max_length: int = Field(20, ge=2)
    """Longest caption in words, in training and in serving; 97 in 100 of Flickr8k's are no longer."""


class TagsConfig(Section):
    """The words that a linear tagger looks for in the photo before the decoder writes (`training.models.evidence`)."""

    most: int = Field(1276, ge=0)
    """How many, the most frequent content words first; 0 leaves the tagger out."""

    least_photos: int = Field(8, ge=1)
    """Photos that have a word in a caption or label, or else it is no tag."""

    epochs: int = Field(12, ge=1)
    learning_rate: float = Field(1e-2, gt=0)
    weight_decay: float = Field(2.0, ge=0)
    """Far more than for deeper networks: a linear layer on 2,048 features of few photos overfits early."""

    folds: int = Field(4, ge=2)
    """Folds of the photos: the evidence for each is predicted by a tagger that was fitted on the others, so that it is
    as reliable as that for new photos.
    """

    more_trust: tuple[float, ...] = Field((0.0, 0.5, 1.0, 1.5, 2.0), min_length=1)
    """Added to the trust in tags that the decoder learnt, before the softplus; the dev score chooses, at the end."""

    class_weights: tuple[float, ...] = Field((1.0, 2.0, 3.0), min_length=1)
    """Factors for the probability of a class in the evidence for its names; the dev score chooses, at the end."""


class AugmentationConfig(Section):
    """Augmented copies of each training photo, from which a batch picks one or the photo itself."""

    copies: int = Field(1, ge=0)
    """Of each photo; each costs a pass of the trunk, once, and 100 kB of the cache."""

    mirror: bool = True
    """Half of the copies are mirrored, unless a caption mentions left or right."""

    smallest_side: float = Field(0.85, gt=0, le=1)
    """The least share of the photo's width and of its height that a copy shows."""

    smallest_scale: float = Field(0.6, gt=0, le=1)
    """The smallest factor by which a copy's width and height are scaled."""

    worst_quality: int = Field(40, ge=1, le=95)
    """The lowest JPEG quality with which a copy is compressed."""


class ScheduleConfig(Section):
    """How long, how fast and with which checks a phase of training goes."""

    epochs: int = Field(ge=0)
    """Length of the learning-rate schedule; 0 leaves the phase out."""

    patience: int = Field(3, ge=1)
    """Epochs without a better dev score after which the phase stops."""

    photos_per_batch: int = Field(32, ge=1)
    """Each brings all of its captions, so that its features are projected once."""

    least_batches: int = Field(50, ge=1)
    """Of an epoch: where photos are few, an epoch uses them several times."""

    learning_rate: float = Field(gt=0)
    """Peak of the one-cycle schedule: linear warm-up, then cosine to zero."""

    warmup_epochs: float = Field(0.25, ge=0)
    """Length of the warm-up."""

    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decoupled weight decay."""

    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Probability spread over the whole vocabulary; keeps the search from being overconfident."""

    moment_decay: float = Field(0.999, ge=0, lt=1)
    """AdamW's decay of the squared gradients."""

    average_decay: float = Field(0.99, ge=0, lt=1)
    """Decay of the moving average of the weights, which is what is scored and published; 0.99 averages over a hundred
    steps, half an epoch of Flickr8k, and 0 switches it off."""

    clip_norm: float = Field(5.0, gt=0)
    """Global norm to which gradients are clipped."""


class FittingConfig(ScheduleConfig):
    """Teacher forcing: the decoder learns to predict each word of the reference captions."""

    seed: int = 1
    """Of everything random, in every phase: weights, order, dropout, samples."""

    epochs: int = Field(12, ge=0)
    patience: int = Field(4, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    warmup_epochs: float = Field(1.0, ge=0)
    least_photos: int = Field(500, ge=1)
    """Training photos with captions; a training without a start is refused with fewer, which are not enough to learn
    sentences from.
    """

    texts_share: float = Field(0.25, ge=0, lt=1)
    """Share of batches of captions without photos, where texts are given."""


class EndToEndConfig(Section):
    """End-to-end training of encoder and decoder, from pixels, on an accelerator."""

    first_block: int = Field(5, ge=2, le=14)
    """The first of Xception's 14 blocks that is trained; the blocks before it keep ImageNet's weights."""

    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"
    """Of the encoder's arithmetic; its weights are float32 either way."""

    teachers: int = Field(3, ge=1)
    """Candidates that are trained by teacher forcing; the one with the best dev score is trained further."""

    encoder_rates: tuple[float, ...] = Field((1e-4, 1.5e-4, 2e-4), min_length=1)
    """Peak learning rates of the encoder, one for each candidate, repeated where there are more candidates."""

    epochs: int = Field(16, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    """Peak of the decoder's one-cycle schedule; the encoder's is scaled to its own rate."""

    encoder_warmup_epochs: float = Field(3.0, ge=0)
    """Warm-up of the encoder's learning rate: an untrained decoder has no useful gradients."""

    critical_epochs: int = Field(8, ge=1)
    """Of self-critical training at the end; its other settings are those of `self_critical`."""

    critical_passes: int = Field(8, ge=1)
    """Over all photos, in each of these epochs; dev is scored after each epoch."""

    critical_learning_rate: float = Field(1e-4, gt=0)
    critical_encoder_rate: float = Field(1e-5, ge=0)
    """Peak learning rate of the encoder meanwhile."""

    tags: float = Field(0.03, ge=0)
    """Weight of the loss of the start's tagger, a sum over tags in nats. The tagger is frozen: only the encoder is
    trained by it.
    """

    classes: float = Field(0.3, ge=0)
    """Weight of the loss that keeps the probabilities of the start's classes (Li and Hoiem 2016), in nats: captions
    mention few of them.
    """

    steadiness: float = Field(3.0, ge=0)
    """Weight of the squared distance between features of two degradations of the same part of a photo, relative to that
    between photos; 0 saves a third of the encoder's work.
    """

    encoder_share: float = Field(0.5, gt=0, le=1)
    decoder_share: float = Field(0.7, gt=0, le=1)
    """Interpolation from the start's weights (0) to the trained ones (1; Wortsman et al. 2022): with 1, photos of other
    kinds than the training photos are described less well. Without a start they are 1.
    """

    photos_per_batch: int = Field(64, ge=1)
    warmup_epochs: float = Field(1.0, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    average_decay: float = Field(0.99, ge=0, lt=1)
    clip_norm: float = Field(5.0, gt=0)

    smallest_side: float = Field(0.75, gt=0, le=1)
    """The least share of a photo's width and of its height that a random part has."""

    softest: float = Field(2.0, ge=1, le=4)
    """The strongest blur: that of a photo enlarged by this factor."""

    light: float = Field(0.2, ge=0, lt=1)
    """How far contrast is changed at random, and twice how far brightness is."""

    worst_quality: float = Field(50.0, ge=1, le=100)
    """The lowest JPEG quality; every other photo is compressed."""


class RewardConfig(Section):
    """What self-critical training rewards besides CIDEr-D."""

    bleu: float = Field(0.5, ge=0)
    """Weight of smoothed BLEU-4; CIDEr alone favours incomplete sentences."""

    right: float = Field(0.1, ge=0)
    """Reward for each content word that a reference of the photo has."""

    wrong: float = Field(0.15, ge=0)
    """Penalty for each content word that no reference has: a word pays off if the probability that it is right is above
    `wrong / (right + wrong)`. (A reward for the share of right words makes sentences short instead.)
    """

    naming: float = Field(1.5, ge=0)
    """Reward for naming the subject of a labelled photo."""

    found: float = Field(0.3, ge=0)
    """Weight of the metrics of a labelled photo, whose references were found among the captions of other photos."""

    short: float = Field(0.15, ge=0)
    """Penalty for each word below `least_words` in a caption of a labelled photo, against captions that are the label
    alone.
    """

    least_words: int = Field(8, ge=0)

    rare: float = Field(0.06, ge=0)
    """Penalty for each sequence of three words that occurs in fewer than two different captions of texts and photos."""

    repeated: float = Field(0.3, ge=0)
    """Penalty for each repeated content word."""


class SelfCriticalConfig(ScheduleConfig):
    """Self-critical training: rewards for whole sentences (Rennie et al. 2017)."""

    epochs: int = Field(4, ge=0)
    learning_rate: float = Field(1e-4, gt=0)
    moment_decay: float = Field(0.99, ge=0, lt=1)
    """Gradients change with the rewards, faster than in teacher forcing."""

    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """None: the reward says how good each word was."""

    samples: int = Field(5, ge=2)
    """Captions sampled from each photo; the mean reward of the others is the baseline of each (Luo 2020)."""

    shares: tuple[float, ...] = Field((0.4, 0.6, 0.8, 1.0), min_length=1)
    """Interpolation from the weights after teacher forcing (0) to those after this phase (1; Wortsman et al. 2022):
    with 1, captions of new photos become short and vague. The dev score chooses at the end; epochs are scored with the
    first.
    """


class DecodingConfig(Section):
    """The search in serving and in dev scores."""

    beam_width: int = Field(3, ge=1, le=10)
    """Hypotheses kept at each word."""

    length_penalty: float | None = Field(None, ge=0, le=2)
    """Summed log-probability is divided by length to this power; 0 prefers short captions. null takes the one with the
    best dev score, for each epoch and for the bundle.
    """

    repeatable_words: tuple[str, ...] | None = _REPEATABLE_WORDS
    """The only words that a caption may contain twice, against "a red shirt and a red shirt"; null allows all. This
    setting and those below apply to serving alone: the weights do not depend on them."""

    unfinished_words: tuple[str, ...] = ("a", "an", "the")
    """Words with which no caption ends, against "a man is in a"."""

    rare_cost: float = Field(3.0, ge=0)
    """Cost in nats of a rare sequence of three words, against "in a beach", where texts or a start give the frequent
    ones. Sequences with a word that is rare itself have no cost. A very high cost makes captions poorer and names fewer
    subjects.
    """

    skipped_words: tuple[str, ...] = ("a", "an", "the")
    """Words that are skipped when rare sequences are looked for a second time: against "standing on a camera"."""

    reranking: Reranking = Reranking(weight=0.1, threshold=0.55, intercept=0.97, slope=0.6)
    """How the evidence for words decides between the finished sentences of a photo; `weight=0`: not at all. `intercept`
    and `slope` are fitted to how often the words of dev captions are in a reference. A higher threshold makes captions
    shorter, and more of their words right.
    """


class TrainingConfig(Section):
    """The whole configuration of a training run."""

    encoder: EncoderConfig = EncoderConfig()
    decoder: DecoderConfig = DecoderConfig()
    vocabulary: VocabularyConfig = VocabularyConfig()
    tags: TagsConfig = TagsConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    end_to_end: EndToEndConfig = EndToEndConfig()
    fitting: FittingConfig = FittingConfig()
    reward: RewardConfig = RewardConfig()
    self_critical: SelfCriticalConfig = SelfCriticalConfig()
    decoding: DecodingConfig = DecodingConfig()

    def fit_json(self) -> str:
        """The settings on which the weights after the first phase depend, as JSON."""
        return self.model_dump_json(
            exclude={
                "decoder": {"precision"},
                "end_to_end": True,
                "tags": {"more_trust", "class_weights"},
                "reward": True,
                "self_critical": True,
                "decoding": {"repeatable_words", "unfinished_words", "rare_cost", "skipped_words", "reranking"},
            }
        )


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> TrainingConfig:
    """The defaults, overridden by the TOML file at `path` and then by `section.name=value` words.

    Raises:
        ConfigurationError: naming the setting that is unknown or has a value that it cannot have.
    """
    values = read_settings(overrides, _read_toml(path) if path else {})
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigurationError(f"there is no setting {name}{_suggest(name)}") from error
        raise ConfigurationError(f"setting {name}: {first['msg']}") from error


def _suggest(name: str) -> str:
    """A suggestion for an unknown setting: one of that name in another section, or else the most similar name."""
    known = [f"{part}.{field}" for part in TrainingConfig.model_fields for field in _fields_of(part)]
    wanted = name.rpartition(".")[2]
    named = [setting for setting in known if setting.rpartition(".")[2] == wanted]
    names = named or difflib.get_close_matches(name, [*known, *TrainingConfig.model_fields], n=1)
    return f"; did you mean {' or '.join(names)}?" if names else ""


def _fields_of(section: str) -> list[str]:
    kind = TrainingConfig.model_fields[section].annotation
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Section) else []


def read_settings(words: Sequence[str], values: dict[str, Any] | None = None) -> dict[str, Any]:
    """Values by section and name: those given, overridden by `section.name=value` words. Raises ConfigurationError."""
    settings = copy.deepcopy(values or {})
    for word in words:
        _apply(settings, word)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"configuration file {path}: {error}") from error


def _apply(values: dict[str, Any], word: str) -> None:
    name, separator, text = word.partition("=")
    section, dot, field = name.partition(".")
    if not (separator and dot and field):
        hint = "" if dot else _suggest(name)
        raise ConfigurationError(f"{word!r} is not of the form section.name=value{hint}")
    values.setdefault(section, {})[field] = _parse_value(text)


def _parse_value(text: str) -> Any:  # noqa: ANN401 - TOML values are of any type; pydantic checks them
    """A TOML value, `null`, or else the plain text, so that `decoder.architecture=pooled` needs no quotes."""
    if text == "null":
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
