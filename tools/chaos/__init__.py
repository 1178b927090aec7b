"""Throws at a running service what the internet would, and prints what came of it: `python -m chaos`.

Each scenario is a module with a function `run`; the fast part of each runs in the tests.
"""
