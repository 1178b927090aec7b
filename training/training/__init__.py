"""Turns photos with captions into a bundle that the inference service serves, and scores bundles."""

__version__ = "0.1.0"
