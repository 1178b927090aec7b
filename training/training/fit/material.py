"""Training data of all phases, from the datasets: views and their feature maps, evidence for tags, captions found for
labelled photos, captions without photos.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photocaption.model.runtime import Floats
from photocaption.model.trigrams import Trigrams
from photocaption.model.vocabulary import Vocabulary
from training.config import TrainingConfig
from training.data.dataset import Dataset
from training.data.found_captions import CaptionFinder
from training.data.labelled import LabelledPhoto
from training.data.photo import Photo, list_captions
from training.data.tags import Targets, choose_tags, find_subjects, list_classes, name_classes, set_targets
from training.data.text_only import EvidenceStatistics, TextOnlyBatches
from training.data.trigrams import find_common, list_known
from training.data.views import WHOLE, View, choose_views
from training.data.words import build_vocabulary, extend_vocabulary, known_words, tokenise
from training.encoder.cache import ExportedEncoder
from training.encoder.feature_maps import MapCache
from training.encoder.teacher import predict_logits
from training.encoder.trunk import TRUNK, Trunk
from training.errors import DatasetError
from training.fit.classes import Classes, choose_subjects, distil_classes
from training.fit.job import Job
from training.fit.pooled import pool_photos
from training.fit.tagger import Tagger, fit_tagger, predict_out_of_fold
from training.progress import say


@dataclass(frozen=True, slots=True)
class Material:
    """Training photos P, those of one dataset after the other, and what belongs to them.

    `counts`: of each dataset; `views` of each photo, and `evidence` [P, G] for the first, second, … of each; `labels`
    by photo's hash; `texts`: captions without photos; `common`: frequent sequences of three words, for rewards, and
    `trigrams`, for serving; `tags`: words for which a decoder gets evidence, `classes`: number
    of their tagger's classes, `tagger`: the one that was fitted, None where the start's is kept; `run`: folder of the
    checkpoints.
    """

    photos: Sequence[Photo]
    counts: Sequence[int]
    views: Sequence[Sequence[View]]
    evidence: Sequence[Floats]
    labels: Mapping[str, LabelledPhoto]
    texts: TextOnlyBatches | None
    common: frozenset[str]
    trigrams: Trigrams | None
    maps: MapCache
    encoder: ExportedEncoder
    vocabulary: Vocabulary
    tags: Sequence[str]
    classes: int
    tagger: Tagger | None
    config: TrainingConfig
    run: Path
    datasets: Sequence[Dataset]


def prepare(
    job: Job,
    datasets: Sequence[Dataset],
    texts: Sequence[tuple[str, str]],
    encoder: ExportedEncoder,
    vocabulary: Vocabulary,
    run: Path,
) -> Material:
    """Everything that is the same for all phases; `texts` as `read_texts` gives them. Raises TrainingError."""
    config, start = job.config, job.start
    labels = {key: label for one in datasets for key, label in one.labels.items()}
    keeps = start.keeps_tagger(labels=bool(labels))
    needed = job.trains or not keeps
    photos: Sequence[Photo] = [photo for one in datasets for photo in one.train] if needed else []
    views = [choose_views(photo, config.augmentation) for photo in photos]
    maps = _extract(job, datasets, photos, views, encoder)
    tags = vocabulary.decode(start.tags) if keeps else _choose_tags(photos, labels, vocabulary, config)
    by_place = zip(*views, strict=True) if tags else ()
    pooled = [pool_photos(list(zip(photos, of_place, strict=True)), maps, encoder) for of_place in by_place]
    evidence, tagger, classes = _predict_evidence(job, photos, labels, tags, pooled)
    likely = evidence[0] if evidence else np.zeros((len(photos), 0), np.float32)
    photos, known, counts = find_captions(photos, datasets, labels, texts, tags, likely)
    views = [views[place] for place in known]
    evidence = [of_view[known] for of_view in evidence]
    return Material(
        photos,
        counts,
        views,
        evidence,
        labels,
        _open_texts(texts, photos, labels, evidence, tags, vocabulary, config) if photos and texts and tags else None,
        list_common(photos, texts),
        _list_known(job, datasets, texts, vocabulary),
        maps,
        encoder,
        vocabulary,
        tags,
        classes,
        tagger,
        config,
        run,
        datasets,
    )


def _extract(
    job: Job,
    datasets: Sequence[Dataset],
    photos: Sequence[Photo],
    views: Sequence[Sequence[View]],
    encoder: ExportedEncoder,
) -> MapCache:
    """The maps of all views of training photos, and of the dev photos as they are."""
    trunk = Trunk(encoder.path)
    maps = MapCache.for_trunk(job.cache / "maps", encoder.read(TRUNK), encoder.image)
    wanted = [(photo, view) for photo, of_photo in zip(photos, views, strict=True) for view in of_photo]
    dev = [(photo, WHOLE) for one in datasets for photo in one.dev]
    maps.extract([*dev, *wanted], trunk.encode, encoder.image)
    return maps


def _choose_tags(
    photos: Sequence[Photo], labels: Mapping[str, LabelledPhoto], vocabulary: Vocabulary, config: TrainingConfig
) -> Sequence[str]:
    of_photos = [labels[photo.sha256] for photo in photos if photo.sha256 in labels]
    return choose_tags(photos, of_photos, vocabulary, config.tags) if config.tags.most else ()


def _predict_evidence(
    job: Job,
    photos: Sequence[Photo],
    labels: Mapping[str, LabelledPhoto],
    tags: Sequence[str],
    pooled: Sequence[Floats],
) -> tuple[list[Floats], Tagger | None, int]:
    """Evidence [P, G] for each view, by the start's tagger or out of fold by new ones; the new tagger for serving, None
    where the start's is kept; and the number of its classes.
    """
    start, config, seed = job.start, job.config.tags, job.config.fitting.seed
    if not tags:
        return [], None, 0
    if start.keeps_tagger(labels=bool(labels)):
        known = Tagger.of(start.decoder)
        return [known.predict(of_view) for of_view in pooled], None, start.classes
    of_photos = {photo.sha256: labels[photo.sha256] for photo in photos if photo.sha256 in labels}
    shown = set_targets(photos, of_photos, tags)
    classes = _learn_classes(job, photos, labels, tags, pooled, shown)
    number = classes.names.shape[0] if classes else 0
    say(f"A tagger for {len(tags)} words{f', which knows {number} classes' if number else ''}")
    evidence = predict_out_of_fold(pooled, shown, config, seed, classes)
    everything = np.concatenate([shown] * len(pooled))
    return evidence, fit_tagger(np.concatenate(pooled), everything, config, seed, classes), number


def _learn_classes(
    job: Job,
    photos: Sequence[Photo],
    labels: Mapping[str, LabelledPhoto],
    tags: Sequence[str],
    pooled: Sequence[Floats],
    shown: Targets,
) -> Classes | None:
    """The class layer: distilled from the teacher, or else that of the start. Raises DatasetError where the labels are
    not the teacher's classes.
    """
    start = job.start
    if not job.teacher:
        if not start.classes or not start.vocabulary:
            return None
        learnt = Tagger.of(start.decoder).classes
        columns = {word: place for place, word in enumerate(start.vocabulary.decode(start.tags))}
        places = [columns.get(tag, -1) for tag in tags]
        if not learnt:
            return None
        names, subjects = np.pad(learnt.names, ((0, 0), (0, 1)))[:, places], np.pad(learnt.subjects, (0, 1))[places]
        return Classes(learnt.weights, names, subjects)
    known = list_classes(labels.values())  # of withheld photos too: only the names of classes are used
    taught = predict_logits(job.teacher, photos, job.cache)
    if len(known) != taught.shape[1]:
        raise DatasetError(
            f"{job.teacher} tells {taught.shape[1]} classes apart, and the labels have {len(known)} synsets: they have "
            "to name its classes"
        )
    order = {one.synset: place for place, one in enumerate(known)}
    classes = [order.get(labels[photo.sha256].synset, -1) if photo.sha256 in labels else -1 for photo in photos]
    kinds = [one.accepted if one.subject else one.synset for one in known]
    numbers = {kind: number for number, kind in enumerate(kinds)}
    weights = distil_classes(pooled, taught, np.array(classes), np.array([numbers[kind] for kind in kinds]))
    names, words = name_classes(known, tags), find_subjects(known)
    logits = pooled[0] @ weights[:-1] + weights[-1]
    subjects = choose_subjects(logits, names, shown, np.array([tag in words for tag in tags]))
    return Classes(weights, names, subjects)


def _open_texts(
    texts: Sequence[tuple[str, str]],
    photos: Sequence[Photo],
    labels: Mapping[str, LabelledPhoto],
    evidence: Sequence[Floats],
    tags: Sequence[str],
    vocabulary: Vocabulary,
    config: TrainingConfig,
) -> TextOnlyBatches:
    """Batches of captions without photos, with synthetic evidence distributed as for captioned photos."""
    captioned = [place for place, photo in enumerate(photos) if photo.sha256 not in labels]
    shown = set_targets([photos[place] for place in captioned], {}, tags)
    statistics = EvidenceStatistics.of(evidence[0][captioned], shown)
    return TextOnlyBatches(
        texts,
        vocabulary,
        tags,
        statistics,
        max_length=config.vocabulary.max_length,
        size=config.fitting.photos_per_batch,
    )


def choose_vocabulary(datasets: Sequence[Dataset], known: Vocabulary | None, least: int) -> Vocabulary:
    """The words that captions have `least` times or more; those of a start first, in their order."""
    words = [tokenise(caption) for one in datasets for caption in list_captions(one.train)]
    vocabulary = extend_vocabulary(known, words, least) if known else build_vocabulary(words, least)
    say(f"{len(vocabulary)} words{f', {len(vocabulary) - len(known)} of them new' if known else ''}")
    return vocabulary


def find_captions(
    photos: Sequence[Photo],
    datasets: Sequence[Dataset],
    labels: Mapping[str, LabelledPhoto],
    texts: Sequence[tuple[str, str]],
    tags: Sequence[str],
    evidence: Floats,
) -> tuple[list[Photo], list[int], list[int]]:
    """The training photos of the datasets that have captions or, where they have labels, for which captions of other
    photos were found by the evidence [P, G] for `tags`; their places among all, and how many each dataset has.
    """
    if labels and photos:
        finder = CaptionFinder([caption for _, caption in texts] + list_captions(photos), tags)
        photos = finder.caption(photos, labels, evidence)
        found = sum(bool(photo.captions) for photo in photos if photo.sha256 in labels)
        say(f"Captions were found for {found} photos with labels")
    places = [place for place, photo in enumerate(photos) if photo.captions]
    ends = np.cumsum([len(one.train) for one in datasets])
    counts = np.diff(np.searchsorted(places, ends), prepend=0)
    return [photos[place] for place in places], places, counts.tolist()


def list_common(photos: Sequence[Photo], texts: Sequence[tuple[str, str]]) -> frozenset[str]:
    """The frequent sequences of three words; none where there are no texts, or no photos to train on."""
    return find_common([caption for _, caption in texts] + list_captions(photos)) if photos and texts else frozenset()


def _list_known(
    job: Job, datasets: Sequence[Dataset], texts: Sequence[tuple[str, str]], vocabulary: Vocabulary
) -> Trigrams | None:
    """The sequences of three words without cost in serving; None where neither texts nor a start give any."""
    known = job.start.bundle.trigrams if job.start.bundle else None
    if not texts and not known:
        return None
    photos = [photo for one in datasets for photo in one.train]
    skipped = known_words(job.config.decoding.skipped_words, vocabulary)
    return list_known(photos, (caption for _, caption in texts), vocabulary, skipped, known)
