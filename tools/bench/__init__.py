"""Benchmarks of services, model and training on this machine, which write docs/benchmarks.md: `python -m bench`.

Each module measures one thing and returns a `Section`. Alternatives are measured in turns within the run, and medians
are reported, so that other load on the machine affects both sides of a ratio.
"""
