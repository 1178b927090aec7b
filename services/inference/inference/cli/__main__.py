"""`python -m inference.cli` is `caption`."""

import sys

from inference.cli.command import main

sys.exit(main())
