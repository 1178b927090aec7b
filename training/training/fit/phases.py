"""The phases of training, one after the other on the same decoder, each judged by captions of the dev photos.

Teacher forcing trains the decoder on reference captions, self-critical training on the rewards of captions that it
samples itself. The weights of a phase are discarded unless the dev score is higher than before it.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product

from photocaption.model.runtime import Floats
from training.arrays import hash_text
from training.config import ScheduleConfig
from training.data.batches import Batches, TrainingPhotos
from training.data.mixture import Mixture
from training.data.views import PhotoView
from training.encoder.trunk import LastBlock
from training.evaluation.history import SELF_CRITICAL
from training.fit.checkpoint import interpolate, read_weights, write_weights
from training.fit.dev_score import DevScore, Tuned
from training.fit.fitting import Learner, fit
from training.fit.material import Material
from training.fit.self_critical import SampledBatches, open_rewards
from training.models.decoder import Decoder
from training.models.evidence import Evidence
from training.models.sampling import NEVER_WRITTEN, Sampler
from training.progress import say


class Phases:
    """A decoder, taken through the phases."""

    def __init__(self, decoder: Decoder, material: Material, *, started: bool) -> None:
        """`started`: whether the decoder begins with pretrained weights."""
        self.decoder = decoder
        self._material, self._config = material, material.config
        self._last_block = LastBlock(material.encoder.path)
        search = (material.datasets, self._load, material.vocabulary, self._config)
        self._dev = DevScore(*search)
        self._served = DevScore(*search, guarded=True, trigrams=material.trigrams)
        self._weights, self._score = read_weights(decoder), -math.inf
        if started:
            tuned = self._tune_trust()
            self._score = tuned.score
            say(f"Beginning with dev scores {tuned}")

    def train_on_captions(self) -> None:
        """Teacher forcing: predict each word of the reference captions from the words before it."""
        config, material = self._config.fitting, self._material
        batches = Batches(
            self._photos(config),
            material.vocabulary,
            max_length=self._config.vocabulary.max_length,
            seed=config.seed,
            draw_texts=material.texts.draw if material.texts else None,
            texts_share=config.texts_share,
        )
        progress = fit(self.decoder, batches, self._dev, config, material.run)
        self._keep(self._tune_trust().score if progress.best else -math.inf, "Teacher forcing")

    def train_on_samples(self) -> None:
        """Self-critical training, then interpolation with the weights before it; the dev score chooses the share."""
        config = self._config.self_critical
        reward = self._config.reward
        material = self._material
        self.decoder.disable_dropout()
        folder = material.run / f"{SELF_CRITICAL}{hash_text(config.model_dump_json() + reward.model_dump_json())}"
        say(f"Self-critical training: {folder}")
        before = read_weights(self.decoder)

        def score_first_part(decoder: Learner) -> float:
            after = read_weights(decoder)
            write_weights(decoder, interpolate(before, after, config.shares[0]))
            try:
                return self._dev(decoder)
            finally:
                write_weights(decoder, after)

        with open_rewards(material.photos, reward, material.labels, material.common) as rewards:
            batches = SampledBatches(
                Sampler(self.decoder),
                self._photos(config),
                rewards,
                material.vocabulary,
                config,
                max_length=self._config.vocabulary.max_length,
                seed=self._config.fitting.seed,
            )
            fit(self.decoder, batches, score_first_part, config, folder, never=NEVER_WRITTEN)
        learnt, scores = read_weights(self.decoder), {}
        for share in config.shares:
            write_weights(self.decoder, interpolate(before, learnt, share))
            scores[share] = self._tune_trust().score
        best = max(scores, key=lambda share: scores[share])
        say("Dev scores by share of the way: " + ", ".join(f"{share} {score:.1f}" for share, score in scores.items()))
        write_weights(self.decoder, interpolate(before, learnt, best))
        self._keep(scores[best], "Self-critical training")

    def tune(self) -> Tuned:
        """What serving would score on dev, with the length penalty that the configuration gives or the best."""
        return self._served.tune(self.decoder)

    def finish(self) -> Tuned:
        """Set the trust in tags and the class weight to those with the best dev score in serving; that score."""
        config, evidence = self._config.tags, self.decoder.evidence
        if evidence is None:
            return self.tune()
        weights = config.class_weights if evidence.classes else (1.0,)
        return choose_evidence_weights(evidence, list(product(config.more_trust, weights)), self.tune)

    def _tune_trust(self) -> Tuned:
        """The dev score with the best trust in tags; the decoder's weights stay as they are."""
        evidence, weights = self.decoder.evidence, read_weights(self.decoder)
        if evidence is None:
            return self._dev.tune(self.decoder)
        candidates = [(more, None) for more in self._config.tags.more_trust]
        tuned = choose_evidence_weights(evidence, candidates, lambda: self._dev.tune(self.decoder))
        write_weights(self.decoder, weights)
        return tuned

    def _keep(self, score: float, phase: str) -> None:
        """Keep the weights of a phase if its dev score is the best so far, else restore the weights before it."""
        if score > self._score:
            self._score, self._weights = score, read_weights(self.decoder)
        else:
            say(f"{phase} gained nothing on dev; the model stays as it was")
            write_weights(self.decoder, self._weights)

    def _photos(self, config: ScheduleConfig) -> TrainingPhotos:
        material = self._material
        shares = [one.source.share for one in material.datasets]
        mixture = Mixture(material.counts, shares, config.photos_per_batch, config.least_batches)
        return TrainingPhotos(material.photos, mixture, material.views, self._load, material.evidence)

    def _load(self, photos: Sequence[PhotoView]) -> Floats:
        return self._last_block.encode(self._material.maps.load(photos))


def choose_evidence_weights(
    evidence: Evidence, candidates: Sequence[tuple[float, float | None]], tune: Callable[[], Tuned]
) -> Tuned:
    """Set the trust in tags and the class weight to the candidate with the best score by `tune`, the first of equals;
    that score.

    A candidate: what is added to the trust that was learnt, and the class weight, None to leave it as it is.
    """
    learnt = evidence.read_trust()

    def apply(candidate: tuple[float, float | None]) -> None:
        more, weight = candidate
        evidence.write_trust(learnt + more)
        if weight is not None:
            evidence.write_class_weight(weight)

    tuned = {}
    for candidate in candidates:
        apply(candidate)
        tuned[candidate] = tune()
    best = max(tuned, key=lambda candidate: tuned[candidate].score)
    apply(best)
    return tuned[best]
