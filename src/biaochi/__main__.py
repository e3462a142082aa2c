"""``python -m biaochi``."""

from biaochi.cli import main

main()
