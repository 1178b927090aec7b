"""The cache: the same question gets the same answer, and the oldest answer leaves first."""

from support.captions import make_caption

from photocaption.caption import CaptionOptions
from photocaption.serving.cache import CaptionCache

OPTIONS = CaptionOptions()
KEY = ("00", OPTIONS)


def test_a_caption_is_found_under_its_key_alone() -> None:
    cache = CaptionCache(8)
    cache.put(KEY, make_caption("a dog"))

    assert cache.get(KEY) == make_caption("a dog")
    assert cache.get(("01", OPTIONS)) is None
    assert cache.get(("00", CaptionOptions(beam_width=5))) is None


def test_the_least_recently_used_caption_leaves_first() -> None:
    cache = CaptionCache(2)
    first, second, third = (("1", OPTIONS), ("2", OPTIONS), ("3", OPTIONS))
    cache.put(first, make_caption("one"))
    cache.put(second, make_caption("two"))

    cache.get(first)
    cache.put(third, make_caption("three"))

    assert cache.get(second) is None
    assert cache.get(first) is not None
    assert cache.get(third) is not None
    assert len(cache) == 2


def test_a_caption_that_is_put_again_takes_no_second_place() -> None:
    cache = CaptionCache(2)
    cache.put(KEY, make_caption("one"))
    cache.put(KEY, make_caption("two"))

    assert len(cache) == 1
    assert cache.get(KEY) == make_caption("two")


def test_a_cache_of_size_zero_keeps_nothing() -> None:
    cache = CaptionCache(0)
    cache.put(KEY, make_caption("one"))

    assert cache.get(KEY) is None
