"""Bounds, batches, fairness, deadlines, cancellation and draining, with a model that waits for the test."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest
from support.captions import make_caption

from photocaption.caption import Caption, CaptionOptions, ImageInfo, PreparedImage
from photocaption.errors import DeadlineExceededError, LongDecodingError, QueueFullError, UndecodableImageError
from photocaption.serving.scheduler import Scheduler
from photocaption.serving.turns import Turns

pytestmark = pytest.mark.anyio

GREEDY = CaptionOptions(beam_width=1)
BEAM = CaptionOptions(beam_width=3)
PATIENCE = 30.0


class GatedDescriber:
    """Captions a photo with its own bytes, batch by batch, as the test lets it."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.batches: list[list[str]] = []
        self.concurrent: list[bool] = []
        self.gate = threading.Event()
        self.decode_gate = threading.Event()
        self.decode_gate.set()
        self.begun: list[str] = []
        self.long_gate = threading.Event()
        self.failure: Exception | None = None

    def prepare(self, data: bytes, sha256: str | None = None, *, brief: bool = False) -> PreparedImage:
        assert self.decode_gate.wait(PATIENCE)
        name = data.decode()
        if name.startswith("long"):
            if brief:
                raise LongDecodingError("The photo takes a while.")
            self.begun.append(name)
            assert self.long_gate.wait(PATIENCE)
        self.prepared.append(name)
        if name == "damaged":
            raise UndecodableImageError("The photo is damaged.")
        info = ImageInfo(width=1, height=1, format="PNG", sha256=name)
        return PreparedImage(np.zeros((1, 1, 3), np.uint8), info, decode_ms=0.0)

    def describe(
        self, images: Sequence[PreparedImage], options: CaptionOptions = GREEDY, *, concurrent: bool = False
    ) -> list[Caption]:
        self.concurrent.append(concurrent)
        self.batches.append([image.info.sha256 for image in images])
        assert self.gate.wait(PATIENCE)
        if self.failure:
            raise self.failure
        return [make_caption(image.info.sha256, image.info) for image in images]


Submit = Callable[..., "asyncio.Task[str]"]


@pytest.fixture
def describer() -> GatedDescriber:
    return GatedDescriber()


@pytest.fixture
async def scheduler(describer: GatedDescriber) -> AsyncIterator[Scheduler]:
    async with Scheduler(queue_size=4, batch_size=1, workers=1, decode_threads=2) as scheduler:
        yield scheduler
        describer.gate.set()
        describer.decode_gate.set()
        describer.long_gate.set()


@pytest.fixture
def submit(scheduler: Scheduler, describer: GatedDescriber) -> Submit:
    return submitter(scheduler, describer)


def submitter(scheduler: Scheduler, describer: GatedDescriber) -> Submit:
    """Starts captioning a photo in the background."""

    async def run(name: str, options: CaptionOptions, deadline: float, client: str, position: int) -> str:
        scheduled = await scheduler.caption(
            describer, name.encode(), options, deadline=deadline, client=client, position=position
        )
        return scheduled.caption.caption

    def start(
        name: str, options: CaptionOptions = GREEDY, deadline: float = PATIENCE, client: str = "", position: int = 0
    ) -> "asyncio.Task[str]":
        return asyncio.create_task(run(name, options, deadline, client, position))

    return start


async def warm_up(describer: GatedDescriber, submit: Submit, seconds: float = 0.3) -> float:
    """Have the model take so many seconds for a photo, by which turns are told apart; how many it were at most."""
    begun = time.monotonic()
    warm = submit("warm")
    await until(lambda: describer.batches == [["warm"]])
    await asyncio.sleep(seconds)
    describer.gate.set()
    await warm
    return time.monotonic() - begun


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_photo_gets_its_caption(submit: Submit, describer: GatedDescriber) -> None:
    describer.gate.set()

    assert await submit("dog") == "dog"


async def test_an_error_of_decoding_reaches_the_one_who_waits(submit: Submit, describer: GatedDescriber) -> None:
    describer.gate.set()

    with pytest.raises(UndecodableImageError):
        await submit("damaged")
    assert await submit("dog") == "dog"


async def test_an_error_of_the_model_reaches_the_one_who_waits_and_no_other(
    submit: Submit, describer: GatedDescriber
) -> None:
    describer.gate.set()
    describer.failure = RuntimeError("out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        await submit("dog")

    describer.failure = None
    assert await submit("cat") == "cat"


async def test_the_model_is_told_whether_other_photos_are_there(submit: Submit, describer: GatedDescriber) -> None:
    describer.gate.set()
    await submit("alone")
    describer.gate.clear()
    crowd = [submit(name) for name in "abc"]
    await until(lambda: len(describer.prepared) == 4)
    describer.gate.set()
    await asyncio.gather(*crowd)

    assert describer.concurrent[:3] == [False, True, True]


async def test_a_photo_beyond_the_queue_is_refused_with_the_time_to_wait(
    submit: Submit, scheduler: Scheduler, describer: GatedDescriber
) -> None:
    waiting = [submit(name) for name in "abcd"]
    await until(lambda: scheduler.depth == 4)

    with pytest.raises(QueueFullError, match="4 photos are waiting") as refusal:
        await submit("e")
    assert refusal.value.retry_after >= 1

    describer.gate.set()
    assert await asyncio.gather(*waiting) == list("abcd")
    assert await submit("f") == "f"


async def test_in_a_full_queue_who_has_most_makes_room(
    scheduler: Scheduler, submit: Submit, describer: GatedDescriber
) -> None:
    many = [submit(f"{number}", client="greedy") for number in range(4)]
    await until(lambda: scheduler.depth == 4)

    with pytest.raises(QueueFullError):
        scheduler.check_room("greedy")
    one, two = submit("one", client="honest"), submit("two", client="honest")

    with pytest.raises(QueueFullError, match="others wait") as refused:
        await many[3]
    assert refused.value.retry_after >= 1
    with pytest.raises(QueueFullError, match="others wait"):
        await many[2]
    assert scheduler.depth == 4
    with pytest.raises(QueueFullError, match="4 photos"):  # who has as many as anybody gets no place of others
        await submit("three", client="honest")
    describer.gate.set()
    assert await asyncio.gather(*many[:2], one, two) == ["0", "1", "one", "two"]
    assert scheduler.depth == 0


async def test_the_time_to_wait_grows_with_the_queue_and_the_service_time(
    submit: Submit, scheduler: Scheduler, describer: GatedDescriber
) -> None:
    most = await warm_up(describer, submit, seconds=0.7)
    describer.gate.clear()

    waiting = [submit(name) for name in "abcd"]
    await until(lambda: scheduler.depth == 4)

    assert math.ceil(4 * 0.7) <= scheduler.retry_after <= math.ceil(4 * most)
    describer.gate.set()
    await asyncio.gather(*waiting)


async def test_waiting_photos_with_equal_options_share_a_batch(describer: GatedDescriber) -> None:
    sizes: list[int] = []
    async with Scheduler(queue_size=9, batch_size=3, workers=1, decode_threads=1, on_batch=sizes.append) as scheduler:
        captions = await queue_up(scheduler, describer, *((name, GREEDY) for name in "abcdefgh"))

    assert captions == ["first", *"abcdefgh"]
    assert describer.batches == [["first"], ["a", "b", "c"], ["d", "e", "f"], ["g"], ["h"]]
    assert sizes == [1, 3, 3, 1, 1]


async def test_batches_are_smaller_the_fewer_photos_wait_for_each_worker(describer: GatedDescriber) -> None:
    async with Scheduler(queue_size=9, batch_size=8, workers=1, decode_threads=1) as scheduler:
        await queue_up(scheduler, describer, *((name, GREEDY) for name in "abcdefgh"))

    assert describer.batches == [["first"], ["a", "b", "c", "d"], ["e", "f"], ["g"], ["h"]]


async def test_photos_with_different_options_never_share_a_batch(describer: GatedDescriber) -> None:
    mixed = [("a", BEAM), ("b", BEAM), ("c", GREEDY), ("d", BEAM), ("e", BEAM), ("f", BEAM)]
    async with Scheduler(queue_size=9, batch_size=8, workers=1, decode_threads=1) as scheduler:
        await queue_up(scheduler, describer, *mixed)

    assert describer.batches == [["first"], ["a", "b"], ["c"], ["d", "e"], ["f"]]


async def queue_up(scheduler: Scheduler, describer: GatedDescriber, *photos: tuple[str, CaptionOptions]) -> list[str]:
    """Caption photos that all wait behind a first one."""
    submit = submitter(scheduler, describer)
    first = submit("first")
    await until(lambda: describer.batches == [["first"]])
    others = [submit(*photo) for photo in photos]
    await until(lambda: len(scheduler._waiting) == len(photos))
    describer.gate.set()
    return await asyncio.gather(first, *others)


async def test_two_workers_caption_two_batches_at_the_same_time(describer: GatedDescriber) -> None:
    async with Scheduler(queue_size=9, batch_size=1, workers=2, decode_threads=1) as scheduler:
        submit = submitter(scheduler, describer)
        waiting = [submit(name) for name in "abc"]
        await until(lambda: len(describer.prepared) == 3)
        await until(lambda: len(describer.batches) == 2)
        describer.gate.set()
        await asyncio.gather(*waiting)

    assert sorted(describer.batches) == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("same_request", [True, False], ids=["of a request", "of a client"])
async def test_a_single_photo_passes_the_later_photos(describer: GatedDescriber, *, same_request: bool) -> None:
    async with Scheduler(queue_size=9, batch_size=1, workers=1, decode_threads=1) as scheduler:
        submit = submitter(scheduler, describer)
        await warm_up(describer, submit)
        describer.gate.clear()

        many = [submit(f"many{n}", client="many", position=n if same_request else 0) for n in range(4)]
        await until(lambda: len(describer.prepared) == 5)
        single = submit("single", client="single")
        await until(lambda: len(scheduler._waiting) == 4)
        describer.gate.set()
        await asyncio.gather(single, *many)

    assert [batch[0] for batch in describer.batches] == ["warm", "many0", "single", "many1", "many2", "many3"]


@pytest.mark.parametrize("same_request", [True, False], ids=["of a request", "of a client"])
async def test_a_single_photo_is_decoded_before_the_later_photos(
    describer: GatedDescriber, *, same_request: bool
) -> None:
    async with Scheduler(queue_size=9, batch_size=1, workers=1, decode_threads=1) as scheduler:
        submit = submitter(scheduler, describer)
        await warm_up(describer, submit)

        describer.decode_gate.clear()
        many = [submit(f"many{n}", client="many", position=n if same_request else 0) for n in range(4)]
        await until(lambda: scheduler.depth == 4)
        single = submit("single", client="single")
        await until(lambda: scheduler.depth == 5)
        describer.decode_gate.set()
        await asyncio.gather(single, *many)

    assert describer.prepared == ["warm", "many0", "single", "many1", "many2", "many3"]


async def test_photos_that_take_long_to_decode_leave_a_decoder_to_others(
    submit: Submit, describer: GatedDescriber
) -> None:
    describer.gate.set()
    long = [submit(f"long{number}") for number in range(3)]
    await until(lambda: describer.begun == ["long0"])

    assert await submit("dog") == "dog"
    assert describer.prepared == ["dog"]
    describer.long_gate.set()
    assert await asyncio.gather(*long) == ["long0", "long1", "long2"]


async def test_a_decoder_is_nobody_elses_while_it_works_for_one_who_has_gone(
    submit: Submit, describer: GatedDescriber
) -> None:
    describer.gate.set()
    gone, waiting = submit("long0"), submit("long1")
    await until(lambda: describer.begun == ["long0"])

    gone.cancel()
    await asyncio.wait([gone])
    assert await submit("dog") == "dog"
    assert describer.begun == ["long0"]
    describer.long_gate.set()
    assert await waiting == "long1"


async def test_a_client_whose_photos_turn_out_to_take_long_goes_behind_others(describer: GatedDescriber) -> None:
    async with Scheduler(queue_size=9, batch_size=1, workers=1, decode_threads=1) as scheduler:
        submit = submitter(scheduler, describer)
        describer.gate.set()
        describer.decode_gate.clear()
        many = [submit(f"many{number}", client="many") for number in range(3)]
        await until(lambda: scheduler.depth == 3)
        single = submit("single", client="single")
        await until(lambda: scheduler.depth == 4)
        await asyncio.sleep(0.1)
        describer.decode_gate.set()
        await asyncio.gather(single, *many)

    assert describer.prepared == ["many0", "single", "many1", "many2"]


async def test_who_has_had_many_turns_waits_for_a_few_seconds_at_most() -> None:
    turns = Turns()
    for _ in range(4):
        with turns.spend("many"), turns.spend("many"), turns.spend("many"):
            time.sleep(0.3)

    now = time.monotonic()
    assert now + 1.5 < turns.find("many", now) <= now + 2
    assert turns.find("single", now) == now


async def test_a_photo_past_its_deadline_is_dropped_before_the_model_sees_it(
    submit: Submit, scheduler: Scheduler, describer: GatedDescriber
) -> None:
    first = submit("first")
    await until(lambda: describer.batches == [["first"]])

    with pytest.raises(DeadlineExceededError, match=r"0\.05 seconds"):
        await submit("late", deadline=0.05)
    last = submit("last")
    describer.gate.set()

    assert [await first, await last] == ["first", "last"]
    assert describer.batches == [["first"], ["last"]]
    assert scheduler.depth == 0


async def test_a_photo_past_its_deadline_is_not_even_decoded(
    submit: Submit, scheduler: Scheduler, describer: GatedDescriber
) -> None:
    describer.decode_gate.clear()
    holding_both_threads = [submit("a"), submit("b")]
    await until(lambda: not scheduler._decoding._free)

    with pytest.raises(DeadlineExceededError):
        await submit("late", deadline=0.05)
    describer.decode_gate.set()
    describer.gate.set()

    await asyncio.gather(*holding_both_threads)
    assert sorted(describer.prepared) == ["a", "b"]


async def test_a_cancelled_photo_gives_up_its_place_and_is_never_captioned(
    submit: Submit, scheduler: Scheduler, describer: GatedDescriber
) -> None:
    first, cancelled = submit("first"), submit("cancelled")
    await until(lambda: len(describer.prepared) == 2)

    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert scheduler.depth == 1
    describer.gate.set()
    await first
    assert await submit("last") == "last"

    assert describer.batches == [["first"], ["last"]]


async def test_the_encoded_bytes_are_let_go_of_before_the_model_is_done(
    scheduler: Scheduler, describer: GatedDescriber
) -> None:
    decoded = asyncio.Event()
    work = scheduler.caption(describer, b"dog", GREEDY, deadline=PATIENCE, on_decoded=decoded.set)
    waiting = asyncio.create_task(work)

    async with asyncio.timeout(PATIENCE):
        await decoded.wait()
    assert not waiting.done()
    describer.gate.set()
    await waiting


async def test_finish_waits_for_what_was_accepted(
    submit: Submit, scheduler: Scheduler, describer: GatedDescriber
) -> None:
    accepted = submit("accepted")
    await until(lambda: scheduler.depth == 1)
    finishing = asyncio.create_task(scheduler.finish())
    await asyncio.sleep(0.02)
    assert not finishing.done()

    describer.gate.set()
    async with asyncio.timeout(PATIENCE):
        await finishing
    assert accepted.done()


async def test_the_time_in_the_queue_is_reported(scheduler: Scheduler, describer: GatedDescriber) -> None:
    first = asyncio.create_task(scheduler.caption(describer, b"first", GREEDY, deadline=PATIENCE))
    await until(lambda: describer.batches == [["first"]])
    second = asyncio.create_task(scheduler.caption(describer, b"second", GREEDY, deadline=PATIENCE))
    await asyncio.sleep(0.2)
    describer.gate.set()

    assert 150 < (await second).queue_ms > (await first).queue_ms
