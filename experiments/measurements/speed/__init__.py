"""What is fast, beside what it is compared with.

``python -m experiments.measurements.speed``: one comparison a file, each a function
``measure(setting) -> Table`` that ``__main__.py`` lists. Every figure is a ratio of two
things run in turn in one process.
"""
