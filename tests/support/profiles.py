"""ICC profiles with obvious effects."""

import struct

from PIL import ImageCms


def profile_of_swapped_colours() -> bytes:
    """A profile whose red is sRGB's green, and the other way round."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[place : place + 4]): place + 4 for place in range(132, 132 + 12 * profile[131], 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red : red + 8], profile[green : green + 8] = profile[green : green + 8], profile[red : red + 8]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be")).replace(b"sRGB", b"test")


def profile_in_steps(count: int) -> bytes:
    """A profile that has each colour go through so many steps, all of them one matrix; what comes out is green."""
    matrix = b"matf" + struct.pack(">IHH12f", 0, 3, 3, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0)
    place = struct.pack(">II", 16 + 8 * count, len(matrix))
    steps = b"mpet" + struct.pack(">IHHI", 0, 3, 3, count) + place * count + matrix
    tags = b"".join(sign + struct.pack(">II", 156, len(steps)) for sign in (b"D2B1", b"A2B0"))
    head = bytearray(128)
    head[:4] = struct.pack(">I", 156 + len(steps))
    head[8:24] = b"\x04\x20\0\0mntrRGB XYZ "
    head[36:40] = b"acsp"
    head[67] = 1  # relative colorimetric
    return bytes(head) + struct.pack(">I", 2) + tags + steps
