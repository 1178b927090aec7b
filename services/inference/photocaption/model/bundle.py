"""Reads a bundle, the directory that training publishes, and trusts nothing in it before its hash is checked.

`load_bundle` compares the directory with its manifest, file by file, before it parses any of them. The ONNX files are
read later, by `Bundle.read`, which checks again the very bytes that it returns: a file swapped after the start-up check
is refused rather than run, and what is made of a bundle in `use_bundle` is of one alone. Nothing here unpickles or
evaluates anything.

Training builds its manifests with `digest_files`, so that writer and reader agree on what a file's entry is.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from photocaption.errors import BundleError
from photocaption.model.manifest import MANIFEST_NAME, SCHEMA_VERSION, FileEntry, Manifest
from photocaption.model.trigrams import Trigrams
from photocaption.model.vocabulary import Vocabulary

ENCODER = "encoder.onnx"
DECODER_START = "decoder_start.onnx"
DECODER_STEP = "decoder_step.onnx"
VOCABULARY = "vocabulary.json"
TRIGRAMS = "trigrams.bin"
MODEL_CARD = "MODEL_CARD.md"
SAVED_MODEL = "saved_model"

BUNDLE_VARIABLE = "CAPTION_BUNDLE"

_SHIPPED_BUNDLE = Path("artifacts", "default")
_REQUIRED = (ENCODER, DECODER_START, DECODER_STEP, VOCABULARY)
_MAX_MANIFEST_BYTES = 4 * 2**20
_MAX_WORD_CHARACTERS = 100
_MAX_REPLACEMENTS = 9  # while one bundle is loaded
_WORDS = TypeAdapter(list[str])

T = TypeVar("T")


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file matched its manifest when it was loaded; without a model card, `card` is empty, and
    without the sequences that people write, `trigrams` is None.
    """

    path: Path
    manifest: Manifest
    vocabulary: Vocabulary
    card: str = ""
    trigrams: Trigrams | None = None

    def read(self, name: str) -> bytes:
        """The bytes of a file that the manifest lists, verified as they are returned. Raises BundleError."""
        return _read_verified(self.path, name, self.manifest.files[name])

    def has_saved_model(self) -> bool:
        """Whether the bundle can be run by TensorFlow."""
        return f"{SAVED_MODEL}/saved_model.pb" in self.manifest.files


def find_bundle() -> Path:
    """The bundle that the environment names, else the one that ships with the package or the repository.

    Raises BundleError when there is none.
    """
    if named := os.environ.get(BUNDLE_VARIABLE):
        return Path(named)
    for folder in (*Path(__file__).resolve().parents, Path.cwd()):
        if (folder / _SHIPPED_BUNDLE).is_dir():
            return folder / _SHIPPED_BUNDLE
    msg = f"There is no model in {_SHIPPED_BUNDLE}: name one with --bundle DIR, or in the variable {BUNDLE_VARIABLE}."
    raise BundleError(msg)


def load_bundle(path: Path) -> Bundle:
    """Verify a bundle and read its manifest and vocabulary. Raises as `use_bundle`."""
    return use_bundle(path, lambda bundle: bundle)


def use_bundle(path: Path, use: Callable[[Bundle], T]) -> T:
    """What `use` makes of a verified bundle, of which it may read files.

    With one that is replaced meanwhile it begins anew: what was read is of two bundles, or of one half deleted. Raises
    BundleError, one line naming the file and the reason.
    """
    for _ in range(_MAX_REPLACEMENTS):
        directory = _identify(path)
        try:
            return use(_load(path))
        except BundleError:
            if _identify(path) == directory:
                raise
    return use(_load(path))


def _identify(path: Path) -> tuple[int, ...] | None:
    """Which directory lies there: a later one may have the number of one that was deleted, but not its times."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _load(path: Path) -> Bundle:
    if not path.is_dir():
        raise _refusal(path, "no such directory")
    manifest = _parse_manifest(path, _read(path, MANIFEST_NAME, _MAX_MANIFEST_BYTES))
    try:
        _verify_files(path, manifest)
    except OSError as error:
        raise _refusal(path, f"cannot be read ({error.strerror})") from error
    return Bundle(
        path,
        manifest,
        _load_vocabulary(path, manifest),
        _load_card(path, manifest),
        _load_trigrams(path, manifest),
    )


def digest_files(directory: Path) -> dict[str, FileEntry]:
    """The `files` of a manifest for everything that lies in a directory, except the manifest itself.

    Raises BundleError for what cannot be published: a symbolic link, a socket, a device.
    """
    return {name: file_entry(directory / name) for name in sorted(_list_files(directory)) if name != MANIFEST_NAME}


def file_entry(path: Path) -> FileEntry:
    """Hash and size of one file. Raises OSError when it cannot be read."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return FileEntry(sha256=digest.hexdigest(), size=stream.tell())


class _Versioned(BaseModel):
    schema_version: int


def _parse_manifest(path: Path, data: bytes) -> Manifest:
    try:
        version = _Versioned.model_validate_json(data, strict=True).schema_version
        if version != SCHEMA_VERSION:
            raise _refusal(
                path, f"schema version {version}, but this program reads version {SCHEMA_VERSION}", MANIFEST_NAME
            )
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise _refusal(path, _first_error(error), MANIFEST_NAME) from error


def _verify_files(path: Path, manifest: Manifest) -> None:
    present = set(_list_files(path)) - {MANIFEST_NAME}
    for name in _REQUIRED:
        if name not in manifest.files:
            raise _refusal(path, "is not listed in the manifest, but a bundle needs it", name)
    for name in sorted(present - manifest.files.keys()):
        raise _refusal(path, "is not listed in the manifest", name)
    for name, entry in manifest.files.items():
        if name not in present:
            raise _refusal(path, "is listed in the manifest, but missing", name)
        _verify_file(path, name, entry)


def _verify_file(path: Path, name: str, expected: FileEntry) -> None:
    size = (path / name).stat().st_size
    if size != expected.size:
        raise _refusal(path, f"has {size} bytes, but the manifest says {expected.size}", name)
    if file_entry(path / name) != expected:
        raise _refusal(path, "does not have the sha256 that the manifest says: damaged or changed", name)


def _read_verified(path: Path, name: str, expected: FileEntry) -> bytes:
    data = _read(path, name, expected.size)
    if FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data)) != expected:
        raise _refusal(path, "was changed while the bundle was being loaded", name)
    return data


def _load_card(path: Path, manifest: Manifest) -> str:
    if MODEL_CARD not in manifest.files:
        return ""
    try:
        return _read_verified(path, MODEL_CARD, manifest.files[MODEL_CARD]).decode()
    except UnicodeDecodeError as error:
        raise _refusal(path, "is not UTF-8 text", MODEL_CARD) from error


def _load_vocabulary(path: Path, manifest: Manifest) -> Vocabulary:
    try:
        words = _WORDS.validate_json(_read_verified(path, VOCABULARY, manifest.files[VOCABULARY]), strict=True)
    except ValidationError as error:
        raise _refusal(path, _first_error(error), VOCABULARY) from error
    if any(len(word) > _MAX_WORD_CHARACTERS or word.split() != [word] or not word.isprintable() for word in words):
        raise _refusal(path, f"holds what is not a word of at most {_MAX_WORD_CHARACTERS} characters", VOCABULARY)
    if len(words) != manifest.vocabulary_size:
        reason = f"has {len(words)} words, but the manifest says {manifest.vocabulary_size}"
        raise _refusal(path, reason, VOCABULARY)
    if len({word.lower() for word in words}) != len(words):
        raise _refusal(path, "holds a word twice", VOCABULARY)
    return Vocabulary(tuple(words), manifest.tokens)


def _load_trigrams(path: Path, manifest: Manifest) -> Trigrams | None:
    if TRIGRAMS not in manifest.files:
        return None
    try:
        return Trigrams.from_bytes(_read_verified(path, TRIGRAMS, manifest.files[TRIGRAMS]), manifest.vocabulary_size)
    except (ValueError, OverflowError) as error:  # keys of that many words may not fit
        raise _refusal(path, str(error), TRIGRAMS) from error


def _list_files(directory: Path, prefix: str = "") -> Iterator[str]:
    """Paths of all files below a directory, relative, with forward slashes."""
    with os.scandir(directory) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _list_files(directory / entry.name, name + "/")
            elif entry.is_file(follow_symlinks=False):
                yield name
            else:
                raise _refusal(directory, "is neither a plain file nor a directory", entry.name)


def _read(path: Path, name: str, most: int) -> bytes:
    """A plain file of at most so many bytes; of a larger one a byte more than that."""
    try:
        with os.fdopen(os.open(path / name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe would let us wait
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _refusal(path, "is neither a plain file nor a directory", name)
            return file.read(most + 1)
    except OSError as error:
        raise _refusal(path, f"cannot be read ({error.strerror})", name) from error


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def _refusal(path: Path, reason: str, name: str | None = None) -> BundleError:
    return BundleError(f"{path / name if name else path}: {reason}")
