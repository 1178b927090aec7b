"""The programs `caption-train train`, `end-to-end`, `draw`, `evaluate`, `report`, `renew`, for people and for make."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "2"
)  # before TensorFlow is imported: it logs a page about CPUs at every start

from typing import TYPE_CHECKING

from photocaption.errors import CaptionError
from training.config import TrainingConfig, load_config
from training.data.photo import SPLITS
from training.errors import ConfigurationError, TrainingError
from training.progress import start_keras

if TYPE_CHECKING:
    from training.data.dataset import Source
    from training.fit.job import Job


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit code is 0, or 1 after a one-line error message, or 130 after Ctrl-C."""
    options = _build_parser().parse_args(arguments)
    try:
        options.run_command(options)
    except (TrainingError, CaptionError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="caption-train", description="Train and score caption bundles.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="make a bundle from photos with captions"))
    _add_end_to_end(
        commands.add_parser("end-to-end", help="train the encoder too, on an accelerator, as a start for `train`")
    )
    _add_draw(commands.add_parser("draw", help="draw images that are not photos, with captions, as a dataset"))
    _add_evaluate(commands.add_parser("evaluate", help="score a bundle on a split of a dataset"))
    _add_report(commands.add_parser("report", help="write a page about a bundle that a person can look at"))
    _add_renew(commands.add_parser("renew", help="write a bundle's graphs as today's export does, without a training"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_material(parser)
    parser.add_argument("--out", type=Path, required=True, help="directory of the bundle to publish")
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="a classifier of ImageNet's classes in ONNX, from which the tagger learns to tell them apart; labels have "
        "to name them all",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where run directories go (default: runs)")
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FOLDER",
        help="begin with a bundle, such as artifacts/default, or with what `caption-train end-to-end` left",
    )
    parser.add_argument(
        "--saved-model", action="store_true", help="put a SavedModel for the TensorFlow runtime into the bundle too"
    )
    _add_settings(parser, "decoder.architecture=pooled")
    parser.set_defaults(run_command=_train)


def _add_end_to_end(parser: argparse.ArgumentParser) -> None:
    _add_material(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for what `train --start` begins with")
    parser.add_argument(
        "--start", type=Path, metavar="FOLDER", help="begin with a bundle, and not with ImageNet's weights alone"
    )
    _add_settings(parser, "end_to_end.teachers=1")
    parser.set_defaults(run_command=_train_end_to_end, saved_model=False, teacher=None, runs=None)


def _add_material(parser: argparse.ArgumentParser) -> None:
    """Options for the training data."""
    parser.add_argument(
        "--dataset",
        action="append",
        required=True,
        metavar="FOLDER[=SHARE]",
        help="photos with captions or with labels, see docs/training.md; once for each folder, each with its share of "
        "every batch or none",
    )
    _add_text(parser, "captions without photos, from which language is learnt")


def _add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    parser.add_argument("--config", type=Path, help="TOML file that overrides the defaults of training/config.py")
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/training"), help="weights and features (default: .cache/training)"
    )
    parser.add_argument("settings", nargs="*", metavar="section.name=value", help=f"settings, e.g. {example}")


def _add_draw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for them")
    parser.add_argument("--count", type=int, default=400, help="how many (default: 400)")
    parser.set_defaults(run_command=_draw)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_datasets(parser)
    parser.add_argument("--runtime", choices=("onnx", "tensorflow"), default="onnx")
    parser.add_argument(
        "--float32", action="store_true", help="also score the bundle's decoder behind the encoder in float32"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/training"), help="weights for it (default: .cache/training)"
    )
    _add_text(parser, "also count the sequences of three words that people hardly write")
    parser.add_argument("--json", type=Path, help="also write scores and captions to this file")
    parser.add_argument(
        "settings", nargs="*", metavar="decoding.name=value", help="search otherwise, e.g. decoding.beam_width=5"
    )
    parser.set_defaults(run_command=_evaluate)


def _add_report(parser: argparse.ArgumentParser) -> None:
    _add_datasets(parser)
    parser.add_argument("--against", type=Path, metavar="BUNDLE", help="another bundle to compare with")
    parser.add_argument("--run", type=Path, help="the run directory that made the bundle, for its learning curves")
    parser.add_argument("--out", type=Path, default=Path("report.html"), help="the page (default: report.html)")
    parser.set_defaults(run_command=_report)


def _add_renew(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="directory of the bundle to publish, perhaps the same")
    parser.set_defaults(run_command=_renew)


def _add_text(parser: argparse.ArgumentParser, use: str) -> None:
    files = f"gzip files of id<tab>caption: {use}"
    parser.add_argument("--text", type=Path, action="extend", nargs="+", default=[], metavar="FILE", help=files)


def _add_datasets(parser: argparse.ArgumentParser) -> None:
    """Options for a bundle, and the photos on which it is scored."""
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="dev")
    parser.add_argument(
        "--dataset",
        type=Path,
        action="append",
        required=True,
        metavar="FOLDER",
        help="photos with captions or with labels; once for each folder",
    )


def _train(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.settings)
    start_keras()
    from training.pipeline import train  # after the settings are known to be good: TensorFlow takes seconds to import

    train(_read_job(options, config, "train"))


def _read_job(options: argparse.Namespace, config: TrainingConfig, program: str) -> "Job":
    """The job that the options describe. Raises TrainingError, CaptionError."""
    from training.data.dataset import Source
    from training.fit.job import Job
    from training.fit.pretrained import Pretrained, read_pretrained

    try:
        sources = [Source.parse(text) for text in options.dataset]
    except ValueError as error:
        raise ConfigurationError(f"--dataset: {error}") from error
    data = _name_data(sources, options.text, options.teacher)
    return Job(
        sources,
        options.out,
        config,
        options.runs or options.out,
        options.cache,
        shlex.join(["caption-train", program, *data, *_settings_of(options)]),
        tuple(options.text),
        options.saved_model,
        read_pretrained(options.start) if options.start else Pretrained(),
        options.teacher,
    )


def _name_data(sources: Sequence["Source"], texts: Sequence[Path], teacher: Path | None) -> list[str]:
    """The options of the command for the training data, with names instead of paths."""
    words = []
    for source in sources:
        words += ["--dataset", source.name if source.share is None else f"{source.name}={source.share:g}"]
    words += ["--text", *(path.name for path in texts)] if texts else []
    return [*words, *(["--teacher", teacher.name] if teacher else [])]


def _train_end_to_end(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.settings)
    start_keras()
    from training.fit.end_to_end import train_end_to_end

    _warn_without_accelerator()
    train_end_to_end(_read_job(options, config, "end-to-end"))


def _warn_without_accelerator() -> None:
    import keras

    from training.progress import say

    if all(device.startswith("cpu") for device in keras.distribution.list_devices()):
        say(
            "warning: Keras finds no accelerator here, and on a CPU this takes days. `make train` takes minutes or "
            "hours: it does not train the encoder"
        )


def _draw(options: argparse.Namespace) -> None:
    from training.data.drawn import draw_dataset

    draw_dataset(options.out, options.count)


def _settings_of(options: argparse.Namespace) -> list[str]:
    """The other options of the command on which the model depends, with names instead of paths."""
    config = ["--config", options.config.name] if options.config else []
    start = ["--start", options.start.name] if options.start else []
    return [*config, *start, *(["--saved-model"] if options.saved_model else []), *options.settings]


def _evaluate(options: argparse.Namespace) -> None:
    from training.commands import print_scores

    print_scores(options)


def _report(options: argparse.Namespace) -> None:
    from training.commands import write_page

    write_page(options)


def _renew(options: argparse.Namespace) -> None:
    start_keras()
    from training.publish.renewing import renew_bundle

    renew_bundle(options.bundle, options.out)


if __name__ == "__main__":
    sys.exit(main())
