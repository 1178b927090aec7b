"""The page on which a person gives a photo and reads its caption; calls the inference service over HTTP."""

__version__ = "0.1.0"
