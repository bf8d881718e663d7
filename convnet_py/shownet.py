"""``python -m convnet_py.shownet``: the historic viewer's command line (spec 4.4)."""

from __future__ import annotations

import sys

from convnet_py.cli import guarded, show

if __name__ == "__main__":
    sys.exit(guarded(show, sys.argv[1:]))
