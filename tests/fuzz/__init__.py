"""What strangers send, made worse: `make fuzz`.

`targets` has a function for each parser of bytes from outside. It may raise nothing, whatever it is
given; the errors that a parser is there to raise it catches itself. `__main__` drives them with
Atheris (coverage-guided), a while each; a test gives each its seeds, changed a little.
"""
