"""``python -m mexbench`` is ``bench``."""

import sys

from mexbench.cli import main

if __name__ == "__main__":  # a worker process imports this module too, and must not start another run
    sys.exit(main())
