"""Metrics for Prometheus: traffic, time by stage, queue, batches, cache, rejections, confidence."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from photocaption.caption import Timings

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20)
_PHOTOS = (1, 2, 4, 8, 16, 32)
_TENTHS = tuple(tenth / 10 for tenth in range(1, 10))


disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics, in a registry of their own so that two services in one process do not mix."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "caption_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "caption_request_seconds", "Time from a request's first byte of headers to its answer", ["route"],
            registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self.stage_seconds = Histogram(
            "caption_stage_seconds",
            "Time that a photo spends in a stage",
            ["stage"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.rejections = Counter("caption_rejections", "Photos and requests refused", ["reason"], registry=registry)
        self.cache_lookups = Counter(
            "caption_cache_lookups", "Look-ups among recent captions", ["result"], registry=registry
        )
        for result in ("hit", "miss"):
            self.cache_lookups.labels(result)  # there from the start, so that the first one is an increase
        self.batch_size = Histogram("caption_batch_size", "Photos in a batch", registry=registry, buckets=_PHOTOS)
        self.confidence = Histogram(
            "caption_confidence", "Confidence of the captions given", registry=registry, buckets=_TENTHS
        )
        self.queue_depth = Gauge("caption_queue_depth", "Photos accepted and not yet captioned", registry=registry)
        self.ready = Gauge("caption_ready", "1 while captions are given", registry=registry)
        self._model = Gauge("caption_model", "The model that is serving", ["name", "version"], registry=registry)

    def set_model(self, name: str, version: str) -> None:
        """Set the labels of `caption_model`."""
        self._model.clear()
        self._model.labels(name, version).set(1)

    def observe_stages(self, timings: Timings, *, queue_ms: float) -> None:
        """Record the time of each stage that a photo went through."""
        for stage, milliseconds in timings.by_stage(queue_ms=queue_ms).items():
            self.stage_seconds.labels(stage).observe(milliseconds / 1000)

    def render(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)
