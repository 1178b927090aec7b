"""Captions photos by the million: the `Captioner` of the service, on the cores of one machine or of a Ray cluster."""

__version__ = "0.1.0"
