"""Runs too long for `make test`: `python -m tests.soak`, or `make soak`.

Each module beside this one has `run(say)`, which says what it does and raises when a promise is
broken.
"""
