"""What can stop a training or an evaluation, each with a message for the person who started it.

dataset folder ──dataset──▶ photos, captions       DatasetError: names the file and the line
weights ──xception──▶ encoder                      WeightsError: names the ways to get them
configuration ──config──▶ run                      ConfigurationError: names the field
run ──publishing──▶ bundle                         PublishingError: the old bundle is untouched
bundle ──evaluation──▶ scores                      EvaluationError: says what is missing
"""


class TrainingError(Exception):
    """Base of all errors that this package raises on purpose; the command line prints them as one line."""


class DatasetError(TrainingError):
    """The dataset is incomplete or malformed."""


class WeightsError(TrainingError):
    """The ImageNet weights cannot be had, or are not the ones that were asked for."""


class ConfigurationError(TrainingError):
    """A setting is unknown or has a value that it cannot have."""


class PublishingError(TrainingError):
    """The bundle could not be written."""


class EvaluationError(TrainingError):
    """A bundle cannot be scored on this dataset or on this machine."""
