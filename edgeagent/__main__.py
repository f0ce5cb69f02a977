"""Entry point of ``python -m edgeagent``."""

import sys

from edgeagent.cli import main

if __name__ == "__main__":
    sys.exit(main())
