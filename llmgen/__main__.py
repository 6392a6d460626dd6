"""`python -m llmgen`."""

import sys

from llmgen.cli import main

sys.exit(main())
