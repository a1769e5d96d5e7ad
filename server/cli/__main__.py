"""`python -m server.cli` is the `farseal` command."""

from server.cli import main

main()
