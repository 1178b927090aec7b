"""The bundle, the runtimes that compute it, and the search that makes sentences of what they compute."""
