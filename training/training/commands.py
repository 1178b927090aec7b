"""What `caption-train evaluate` and `caption-train report` do once their options are read."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from photocaption.captioner import Captioner
from training.data.dataset import Dataset, read_split
from training.data.photo import Split
from training.errors import EvaluationError, TrainingError
from training.evaluation.calibration import bin_by_confidence
from training.evaluation.datasets import Summary, check_trigrams, evaluate_dataset, write_json
from training.evaluation.evaluate import Evaluation, compare_cider, describe_reliability, evaluate, override_decoding
from training.evaluation.subjects import SubjectEvaluation
from training.progress import start_keras


def print_scores(options: argparse.Namespace) -> None:
    """Print a bundle's scores on each dataset. Raises TrainingError, CaptionError."""
    captioner = override_decoding(Captioner.load(options.bundle, runtime=options.runtime), options.settings)
    datasets = read_split(options.dataset, options.split)
    evaluations = [_print_evaluation(captioner, dataset, options.split) for dataset in datasets]
    trigrams = check_trigrams(evaluations, datasets, options.text) if options.text else None
    if trigrams:
        print(f"{trigrams.to_table()}\n")
    if options.json:
        write_json(options.json, datasets, options.split, evaluations, trigrams)
    if options.float32 and captioner.bundle.manifest.encoder.precision != "float32":
        _compare_with_float32(captioner, datasets, options.split, evaluations, options.cache)


def write_page(options: argparse.Namespace) -> None:
    """Write the page about a bundle, with examples from the first dataset with captions.

    Raises TrainingError, CaptionError.
    """
    start_keras()
    from training.evaluation.history import read_phases  # Keras takes seconds to import
    from training.evaluation.report import Baseline, write_report

    datasets = read_split(options.dataset, options.split)
    captioned = [dataset for dataset in datasets if not dataset.labels]
    if not captioned:
        raise EvaluationError("a report shows captions beside what people wrote: name a dataset with captions too")
    captioner, baseline = Captioner.load(options.bundle), None
    if options.against:
        other = Captioner.load(options.against)
        baseline = Baseline(other.bundle.manifest, *_score(other, datasets, options.split))
    phases = read_phases(options.run) if options.run else {}
    evaluation, summaries = _score(captioner, datasets, options.split)
    write_report(options.out, captioner, captioned[0].photos[options.split], evaluation, phases, baseline, summaries)
    print(f"Wrote {options.out}")


def _print_evaluation(captioner: Captioner, dataset: Dataset, split: Split) -> Evaluation | SubjectEvaluation:
    evaluation = evaluate_dataset(captioner, dataset, split)
    precision = captioner.bundle.manifest.encoder.precision
    print(f"{dataset.source.name}, {split}: {precision} encoder, as published\n{evaluation.to_table()}")
    if isinstance(evaluation, Evaluation):
        confidences = [description.confidence for description in evaluation.descriptions.values()]
        print(describe_reliability(bin_by_confidence(confidences, evaluation.ciders())))
    print(flush=True)
    return evaluation


def _compare_with_float32(
    captioner: Captioner,
    datasets: Sequence[Dataset],
    split: Split,
    evaluations: Sequence[Evaluation | SubjectEvaluation],
    cache: Path,
) -> None:
    """Print what the encoder's published precision costs, on photos with captions."""
    scored = zip(datasets, evaluations, strict=True)
    captioned = [(dataset, one) for dataset, one in scored if isinstance(one, Evaluation)]
    if not captioned:
        return
    start_keras()
    from training.encoder.float32_encoder import with_float32_encoder

    try:
        plain = with_float32_encoder(captioner, cache)
    except TrainingError as error:
        print(f"not compared with the encoder in float32: {error}")
        return
    for dataset, published in captioned:
        other = evaluate(plain, dataset.photos[split])
        print(
            f"{dataset.source.name}, {split}: float32 encoder\n{other.to_table()}\n{compare_cider(published, other)}\n"
        )


def _score(captioner: Captioner, datasets: Sequence[Dataset], split: Split) -> tuple[Evaluation, list[Summary]]:
    """The evaluation of the first dataset with captions, and a line for each."""
    evaluations = [evaluate_dataset(captioner, dataset, split) for dataset in datasets]
    first = next(one for one in evaluations if isinstance(one, Evaluation))
    return first, [
        Summary(dataset.source.name, len(one.descriptions), one.summary())
        for dataset, one in zip(datasets, evaluations, strict=True)
    ]
