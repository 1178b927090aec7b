"""`python -m photocaption.cli` is `caption`."""

import sys

from photocaption.cli.command import main

sys.exit(main())
