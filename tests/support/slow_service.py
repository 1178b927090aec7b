"""`python -m support.slow_service SECONDS`: the inference service with a model that takes SECONDS for every batch.

With a path instead, it waits for a file to be there.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from photocaption.__main__ import open_decode_pool
from photocaption.caption import Caption, CaptionOptions, PreparedImage
from photocaption.captioner import Captioner
from photocaption.server.server import serve
from photocaption.serving.logs import configure_logging
from photocaption.serving.service import CaptionService
from photocaption.serving.settings import read_settings

_GATE = Path(sys.argv[1])
_DEFAULTS = CaptionOptions()


class SlowCaptioner(Captioner):
    """A captioner that takes its time."""

    def describe(
        self, images: Sequence[PreparedImage], options: CaptionOptions = _DEFAULTS, *, concurrent: bool = False
    ) -> list[Caption]:
        """As the captioner does it, later."""
        if _GATE.is_absolute():
            while not _GATE.exists():
                time.sleep(0.01)
        else:
            time.sleep(float(str(_GATE)))
        return super().describe(images, options, concurrent=concurrent)


if __name__ == "__main__":
    settings = read_settings()
    configure_logging(settings.log_level)
    with open_decode_pool(settings) as decoders:

        def load() -> SlowCaptioner:
            return SlowCaptioner.load(settings.bundle, threads=settings.threads, decode=decoders.decode)

        serve(CaptionService(settings, load))
