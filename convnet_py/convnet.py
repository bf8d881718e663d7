"""``python -m convnet_py.convnet``: the historic training program's command line as it is (spec 4.1)."""

from __future__ import annotations

import sys

from convnet_py.cli import guarded, train

if __name__ == "__main__":
    sys.exit(guarded(train, sys.argv[1:]))
