"""Kills whatever there is of a batch run, again and again, and counts its rows: `python -m batch_chaos`.

On one machine, with a cluster of two simulated nodes. The test suite runs the same with few photos.
"""
