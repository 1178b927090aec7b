"""Which photos of the input are still to be captioned: an anti-join of ids, one bucket of them in memory at a time.

    ids of the input, ids that are written ──first two digits──▶ 256 buckets on disk ──▶ one mark for each photo

In memory are a byte for each photo of the input, and the ids of one bucket: 100 million photos take 140 MB.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.bytes_]  # S32
Marks = npt.NDArray[np.bool_]

_LISTED = np.dtype([("id", "S32"), ("position", "<i8")])


def mark_to_do(listed: Iterable[Ids], written: Iterable[Ids], folder: Path) -> Marks:
    """For each id of `listed`, in its order, whether it is not in `written` and was not listed before.

    `folder`: an empty one, for the buckets.
    """
    count = 0
    for ids in listed:
        rows = np.empty(len(ids), _LISTED)
        rows["id"], rows["position"] = ids, np.arange(count, count + len(ids))
        _append(folder, "listed", ids, rows)
        count += len(ids)
    for ids in written:
        _append(folder, "written", ids, ids)
    marks = np.zeros(count, np.bool_)
    for bucket in folder.glob("listed-*"):
        rows = np.fromfile(bucket, _LISTED)
        ids, first = np.unique(rows["id"], return_index=True)
        fresh = ~np.isin(ids, _load(bucket.with_name(bucket.name.replace("listed", "written"))))
        marks[rows["position"][first[fresh]]] = True
    return marks


def _append(folder: Path, kind: str, ids: Ids, rows: npt.NDArray[np.void] | Ids) -> None:
    buckets = ids.astype("S2")
    order = np.argsort(buckets, kind="stable")
    names, starts = np.unique(buckets[order], return_index=True)
    for name, part in zip(names, np.split(order, starts[1:]), strict=False):  # of no ids at all, one empty part is left
        with (folder / f"{kind}-{name.decode()}").open("ab") as stream:
            stream.write(rows[part].tobytes())


def _load(path: Path) -> Ids:
    return np.fromfile(path, "S32") if path.exists() else np.empty(0, "S32")
