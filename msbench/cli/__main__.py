"""python -m msbench.cli: what the scripts of a cluster call."""

import sys

from msbench.cli.app import main

sys.exit(main())
