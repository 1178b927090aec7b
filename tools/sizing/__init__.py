"""How much a machine can caption: the figures of docs/operations.md, from load against the real service and bundle.

`make sizing`, on a machine that has nothing else to do. It says what a service gives under steady load; where the time
of a single caption goes is another question.
"""
