"""Errors between the page and the inference service, along the way of a request.

    frontend ──connect──▶ inference      UnreachableError: nobody answers, or the circuit is open
                                         BusyError: as many captions are under way as this frontend asks for at once
    inference ──answer──▶ frontend       DeadlineError: not within the deadline
                                         RefusedError: it answered with a problem (RFC 9457)
                                         InvalidAnswerError: it answered with something that is not in the contract

`failures` turns each into the sentence that a person reads.
"""

from frontend.inference.contract import Problem


class InferenceError(Exception):
    """Base of everything that keeps the inference service from captioning a photo."""


class UnreachableError(InferenceError):
    """The inference service cannot be reached; another try makes sense after `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("the inference service cannot be reached")
        self.retry_after = retry_after


class BusyError(InferenceError):
    """This frontend already waits for as many captions as it may."""


class DeadlineError(InferenceError):
    """The inference service did not answer within the deadline."""


class InvalidAnswerError(InferenceError):
    """The inference service answered outside the contract; the message is for the log."""


class RefusedError(InferenceError):
    """The inference service answered with a problem; `retry_after` is in seconds, None when it named none."""

    def __init__(self, problem: Problem, retry_after: float | None) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem
        self.retry_after = retry_after
