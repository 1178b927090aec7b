"""Measures how fast the whole is on the machine at hand, and writes docs/benchmarks.md: `python -m bench`.

Each part is a module that measures one thing and returns a `Section`. What is compared is measured in turns within the
run, and medians are reported, so that a noisy neighbour slows both sides of a ratio alike.
"""
