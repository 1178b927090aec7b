"""What JPEG leaves of images, on `keras.ops`: a batch of them at once, each at a quality of its own.

The lossy steps of baseline JPEG (ITU-T T.81) as most programs set them: luminance and halved chrominance, a cosine
transform of blocks of 8 × 8, and the tables of its Annex K scaled as the Independent JPEG Group does it. What follows,
the entropy coding, loses nothing and is left out.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

Tensor = Any  # a tensor of whichever backend runs

_BLOCK = 8
_LUMINANCE = """
    16 11 10 16  24  40  51  61    12 12 14 19  26  58  60  55    14 13 16 24  40  57  69  56
    14 17 22 29  51  87  80  62    18 22 37 56  68 109 103  77    24 35 55 64  81 104 113  92
    49 64 78 87 103 121 120 101    72 92 95 98 112 100 103  99"""
_CHROMINANCE = """
    17 18 24 47 99 99 99 99    18 21 26 66 99 99 99 99    24 26 56 99 99 99 99 99    47 66 99 99 99 99 99 99
    99 99 99 99 99 99 99 99    99 99 99 99 99 99 99 99    99 99 99 99 99 99 99 99    99 99 99 99 99 99 99 99"""
_FROM_RGB = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


def compress(images: Tensor, quality: Tensor) -> Tensor:
    """Images float32 [P, S, S, 3] of 0 to 255 after a JPEG of `quality` [P], 1 to 100. S is any side."""
    side = images.shape[1]
    padding = -side % (2 * _BLOCK)  # to whole blocks of the halved chrominance
    padded = ops.pad(images, ((0, 0), (0, padding), (0, padding), (0, 0)), mode="symmetric")
    channels = ops.matmul(padded - 128.0, _FROM_RGB.T)  # about zero, all three
    luminance, chrominance = channels[..., :1], channels[..., 1:]
    half = ops.average_pool(chrominance, 2, 2, data_format="channels_last")
    whole = ops.image.resize(
        _quantise(half, _CHROMINANCE, quality), channels.shape[1:3], "bilinear", data_format="channels_last"
    )
    left = ops.concatenate([_quantise(luminance, _LUMINANCE, quality), whole], axis=-1)
    rgb = ops.matmul(left, np.linalg.inv(_FROM_RGB).T.astype(np.float32)) + 128.0
    return ops.clip(rgb, 0.0, 255.0)[:, :side, :side]


def _quantise(channels: Tensor, table: str, quality: Tensor) -> Tensor:
    """Channels [P, S, S, C] after their cosine transform was rounded to multiples of the table's numbers."""
    side, count = channels.shape[1], channels.shape[3]
    scale = ops.where(quality < 50, 50.0 / quality, 2.0 - quality / 50.0)[:, None, None]
    steps = ops.clip(ops.round(np.array(table.split(), np.float32) * scale), 1.0, 255.0)
    across = side // _BLOCK
    grid = ops.reshape(channels, (-1, across, _BLOCK, across, _BLOCK, count))
    blocks = ops.reshape(ops.transpose(grid, (0, 1, 3, 5, 2, 4)), (-1, across * across * count, _BLOCK * _BLOCK))
    waves = ops.round(ops.matmul(blocks, _COSINES.T) / steps) * steps
    back = ops.reshape(ops.matmul(waves, _COSINES), (-1, across, across, count, _BLOCK, _BLOCK))
    return ops.reshape(ops.transpose(back, (0, 1, 4, 2, 5, 3)), (-1, side, side, count))


def _build_cosines() -> npt.NDArray[np.float32]:
    """The orthonormal cosine transform (DCT-II) of a block: [64 pairs of frequencies, 64 pixels]."""
    frequencies, places = np.mgrid[:_BLOCK, :_BLOCK]
    waves = np.cos((2 * places + 1) * frequencies * np.pi / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    waves[0] /= np.sqrt(2)
    return np.asarray(np.kron(waves, waves), np.float32)


_COSINES = _build_cosines()
