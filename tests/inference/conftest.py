"""The settings of Hypothesis for the tests of the inference package."""

from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("inference", deadline=None)
settings.load_profile("inference")
