"""Recent captions of one model, by photo and options.

Lives on the event loop and is used by nothing else, so it needs no lock.
"""

from collections import OrderedDict

from photocaption.caption import Caption, CaptionOptions

CacheKey = tuple[str, CaptionOptions]
"""What a caption of a model depends on: the photo's bytes, as their SHA-256 in hex, and the options."""


class CaptionCache:
    """The `size` most recently used captions (LRU)."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._captions: OrderedDict[CacheKey, Caption] = OrderedDict()

    def __len__(self) -> int:
        return len(self._captions)

    def get(self, key: CacheKey) -> Caption | None:
        """The caption kept under `key`, now the most recently used one."""
        caption = self._captions.get(key)
        if caption is not None:
            self._captions.move_to_end(key)
        return caption

    def put(self, key: CacheKey, caption: Caption) -> None:
        """Store `caption`, and drop the least recently used one when there is no room."""
        self._captions[key] = caption
        self._captions.move_to_end(key)
        if len(self._captions) > self._size:
            self._captions.popitem(last=False)
