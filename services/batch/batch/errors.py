"""What can go wrong with a whole run; what is wrong with one photo is a row of the output instead.

    inputs ──▶ manifest        InputError: nothing was started
    output ──▶ what is done    OutputError: nothing was started, or the output is somebody else's now
    Ray ──▶ units              RunError: what was written stays, and the same command goes on from there

Every message is one sentence for the person who gave the command.
"""


class BatchError(Exception):
    """Base of all errors that this package raises on purpose."""


class InputError(BatchError):
    """An input is missing, cannot be read as what it seems to be, or holds no photo."""


class OutputError(BatchError):
    """The output belongs to another model, to another run, or to another program."""


class RunError(BatchError):
    """Ray cannot be started, or gave up."""
