"""Runs a bundle's ONNX files on ONNX Runtime: the default, with no training framework in sight."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from photocaption.errors import BundleError
from photocaption.model.bundle import DECODER_START, DECODER_STEP, ENCODER, Bundle
from photocaption.model.cpu import may_start_threads
from photocaption.model.external_data import has_external_data
from photocaption.model.runtime import CONTEXT, NEXT, STATE, DecoderStart, DecoderStep, Floats, Tensors

_LIKELIEST = "likeliest"
_LIKELIEST_TOKENS = "likeliest_tokens"
_LIKELIEST_LOG_PROBABILITIES = "likeliest_log_probabilities"
_SILENT = 4
_SPIN_MICROSECONDS = "20"
_OTHER_THREADS = 16  # that the process has beside those of a session, or will have


class ModelFiles(Protocol):
    """Where ONNX files come from: a bundle, or whatever else keeps them while a bundle is being made."""

    @property
    def path(self) -> Path:
        """The directory, named in error messages."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises BundleError."""
        ...


class OnnxEncoder:
    """`encoder.onnx`, in whatever precision it was exported.

    Two threads together are not twice as fast as one, so that under load it pays to give each caller a core of its own.
    """

    engine = "onnxruntime"

    def __init__(self, files: ModelFiles, *, threads: int, workers: int = 1) -> None:
        """`threads`: cores to use; `workers`: how many share them under load. Raises BundleError."""
        share = max(1, threads // workers)
        divided = share < threads
        self._alone = open_session(files, ENCODER, threads=threads, spin=divided)
        self._shared = open_session(files, ENCODER, threads=share) if divided else self._alone
        _check_ports(files, ENCODER, self._alone, inputs={"images"}, outputs={"features"})

    def encode(self, images: npt.NDArray[np.uint8], *, concurrent: bool = False) -> Floats:
        """Features [P, cells, channels] of `images` [P, height, width, 3]; on fewer cores if `concurrent`."""
        session = self._shared if concurrent else self._alone
        features: Floats = session.run(["features"], {"images": images})[0]
        return features


class OnnxDecoder:
    """`decoder_start.onnx` and `decoder_step.onnx`, each on one core: to hand half of so little to another costs more
    than it saves.
    """

    def __init__(self, bundle: Bundle) -> None:
        """Load both graphs. Raises BundleError for files that do not fit the contract."""
        self._start = open_session(bundle, DECODER_START, threads=1)
        self._step = open_session(bundle, DECODER_STEP, threads=1, plan=True)
        self._started = _output_names(self._start)
        attention = ["attention"] if bundle.manifest.decoder.attention else []
        self._carried = [*attention, *(NEXT + name for name in self._started if name.startswith(STATE))]
        self._picks = _LIKELIEST in {node.name for node in self._step.get_inputs()}
        self._words = bundle.manifest.vocabulary_size
        self._check_contract(bundle)

    def start(self, features: Floats) -> DecoderStart:
        """What the steps need, from features [P, cells, channels]."""
        tensors = self._start.run(self._started, {"features": features})
        return DecoderStart.of(dict(zip(self._started, tensors, strict=True)))

    def step(
        self, tokens: npt.NDArray[np.int32], context: Tensors, state: Tensors, top_k: int | None = None
    ) -> DecoderStep:
        """One word further for every hypothesis; `tokens` [P, K], `state` [P, K, size]. A graph that picks the
        likeliest successors itself gives `top_k` of them alone.
        """
        feeds = {"tokens": tokens, **context, **state}
        if self._picks:
            feeds[_LIKELIEST] = np.array([min(top_k or 1, self._words)])
        narrow = self._picks and top_k is not None
        scores = [_LIKELIEST_LOG_PROBABILITIES, _LIKELIEST_TOKENS] if narrow else ["log_probabilities"]
        names = [*scores, *self._carried]
        tensors = dict(zip(names, self._step.run(names, feeds), strict=True))
        return DecoderStep(
            log_probabilities=tensors[scores[0]],
            attention=tensors.get("attention"),
            state={name: tensors[NEXT + name] for name in state},
            tokens=tensors.get(_LIKELIEST_TOKENS),
        )

    def _check_contract(self, bundle: Bundle) -> None:
        carried = set(self._started)
        _check_ports(bundle, DECODER_START, self._start, inputs={"features"}, outputs=carried)
        if not all(name.startswith((CONTEXT, STATE)) for name in carried):
            raise refusal(bundle, DECODER_START, f"has outputs that are neither {CONTEXT}* nor {STATE}*")
        inputs = {"tokens"} | carried
        outputs = {"log_probabilities", *self._carried}
        if self._picks:
            inputs, outputs = inputs | {_LIKELIEST}, outputs | {_LIKELIEST_TOKENS, _LIKELIEST_LOG_PROBABILITIES}
        _check_ports(bundle, DECODER_STEP, self._step, inputs=inputs, outputs=outputs)


def open_session(
    files: ModelFiles, name: str, *, threads: int, spin: bool = False, plan: bool = False
) -> onnxruntime.InferenceSession:
    """A session on one of the files, set up as serving needs it; `spin`: nobody else wants the cores while it runs;
    `plan`: it is run often, and its memory is small enough to be planned for each number of photos. Raises BundleError.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin for long while they wait for work double the CPU time of a caption, and take it from those that
    # decode photos. From one layer to the next 20 microseconds are enough: with 200, an encoder that is alone in the
    # service gains up to a millisecond on idle cores, and takes a third longer on busy ones. Work dealt out in smaller
    # pieces keeps both cores busy when one of them is taken for a while.
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    options.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_MICROSECONDS)
    options.add_session_config_entry("session.dynamic_block_base", "4")
    _share_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.enable_mem_pattern = plan
    options.log_severity_level = _SILENT
    model = read_model(files, name, threads=threads)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise refusal(files, name, "is not a model that ONNX Runtime can run") from error
    # It would hold the file's bytes for good, to start again with other providers, of which there are none.
    session._model_bytes = None  # noqa: SLF001
    return session


@functools.cache
def _share_memory() -> None:
    """Have all sessions of the process compute in the same memory. Each would keep the most that it ever needed, and a
    plan of it for each number of photos: with two threads that encode two photos each, 30 MB more.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, None)


def read_model(files: ModelFiles, name: str, *, threads: int) -> bytes:
    """The verified bytes of a model that stands for itself, once the threads that are to run it can be had.

    Raises BundleError.
    """
    model = files.read(name)
    try:
        elsewhere = has_external_data(model)
    except ValueError as error:
        raise refusal(files, name, "is not a model in ONNX's format") from error
    if elsewhere:
        raise refusal(files, name, "keeps weights in other files, which no manifest vouches for")
    if threads > 1 and not may_start_threads(threads + _OTHER_THREADS):  # ONNX Runtime would wait for ever
        reason = (
            f"wants {threads} threads, more than the system lets this process start: raise its limit of processes "
            "(pids) or memory (ulimit -v), or have fewer threads (CAPTION_THREADS)"
        )
        raise refusal(files, name, reason)
    return model


def _check_ports(
    files: ModelFiles, name: str, session: onnxruntime.InferenceSession, *, inputs: set[str], outputs: set[str]
) -> None:
    check_names(files, name, "inputs", {node.name for node in session.get_inputs()}, inputs)
    check_names(files, name, "outputs", set(_output_names(session)), outputs)


def check_names(files: ModelFiles, name: str, what: str, actual: set[str], expected: set[str]) -> None:
    """Raise BundleError unless a model has the inputs, or outputs, that the contract names."""
    if actual != expected:
        raise refusal(files, name, f"has the {what} {_join(actual)}, but should have {_join(expected)}")


def _output_names(session: onnxruntime.InferenceSession) -> Sequence[str]:
    return [node.name for node in session.get_outputs()]


def _join(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def refusal(files: ModelFiles, name: str, reason: str) -> BundleError:
    """What is wrong with a file, in one line."""
    return BundleError(f"{files.path / name}: {reason}")
