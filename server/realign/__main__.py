"""`python -m realign` is the command `realign`."""

import sys

from realign.cli import main

sys.exit(main())
