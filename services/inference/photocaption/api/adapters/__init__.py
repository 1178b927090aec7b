"""Other programs' caption protocols, one module each, over the same service as our own routes.

An adapter reads a protocol's request, has the photos captioned as `POST /caption` does, and writes the protocol's
answer. Limits, keys, deadlines, the queue and the metrics are those of the service. Prompts are accepted and ignored:
the model takes none.
"""

from photocaption.api.adapters import hugging_face, ollama, openai, phanpy, photoprism
from photocaption.api.adapters.adapter import Adapter
from photocaption.serving.settings import Settings

ADAPTERS = (ollama.ADAPTER, openai.ADAPTER, photoprism.ADAPTER, hugging_face.ADAPTER, phanpy.ADAPTER)


__all__ = ["ADAPTERS", "Adapter", "choose_adapters"]


def choose_adapters(settings: Settings) -> list[Adapter]:
    """The adapters that the settings leave on."""
    return [adapter for adapter in ADAPTERS if getattr(settings, adapter.setting)]
