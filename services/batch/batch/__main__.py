"""`python -m batch`: the program `caption-batch`."""

import sys

from batch.cli import main

if __name__ == "__main__":
    sys.exit(main())
