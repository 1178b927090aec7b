"""Rewards of whole batches, computed in processes while the model works on other captions."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np

from photocaption.model import cpu
from photocaption.model.runtime import Floats
from training.config import RewardConfig
from training.fit.rewards import References, SentenceReward, Words

_MAX_PROCESSES = 12
_rewards: list[SentenceReward] = []  # of a process of the pool: the one that it was started with


@dataclass(frozen=True, slots=True)
class SampledCaption:
    """A sampled caption: its words, and whether it has an end token."""

    words: Words
    ended: bool


class RewardPool:
    """`SentenceReward` for many captions at a time. Leaving the context ends the processes."""

    def __init__(
        self, photos: Sequence[References], config: RewardConfig, common: frozenset[str] = frozenset()
    ) -> None:
        """As `SentenceReward`."""
        self._processes = min(_MAX_PROCESSES, cpu.count_cores())
        self._pool = ProcessPoolExecutor(
            self._processes,
            mp_context=multiprocessing.get_context("spawn"),  # a fork would copy the threads of the model's backend
            initializer=_prepare,
            initargs=(photos, config, common),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def submit(self, photos: Sequence[int], captions: Sequence[Sequence[SampledCaption]]) -> Callable[[], Floats]:
        """Begin to score the captions of the photos at these places; returns a function that waits for the rewards
        [P, captions].
        """
        size = -(-len(photos) // self._processes)
        rewards = self._pool.map(_score, photos, captions, chunksize=size)
        return lambda: np.array(list(rewards), np.float32)


def _end_with_parent() -> None:
    """Exit when the parent process has ended, however it did: the pool's processes would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _prepare(photos: Sequence[References], config: RewardConfig, common: frozenset[str]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _rewards.append(SentenceReward(photos, config, common))


def _score(photo: int, captions: Sequence[SampledCaption]) -> list[float]:
    (reward,) = _rewards
    return [reward(photo, caption.words, ended=caption.ended) for caption in captions]
