"""Tars of samples, written as WebDataset writes them."""

import io
import tarfile
from collections.abc import Mapping


def make_tar(members: Mapping[str, bytes]) -> bytes:
    """A tar that holds these files, in order."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()
