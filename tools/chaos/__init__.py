"""Robustness tests of a running service with hostile photos, requests and load: `python -m chaos`.

Each scenario is a module with a function `run`; the fast part of each runs in the tests.
"""
