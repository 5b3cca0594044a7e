"""Speed, compared with straightforward implementations.

``python -m experiments.measurements.speed``: one comparison a file, each a function
``measure(setting) -> Table`` that ``__main__.py`` lists. Every figure is a ratio of two
things run in turn in one process.
"""
