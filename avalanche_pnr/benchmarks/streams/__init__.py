"""Streams of experiences: images cut into Avalanche benchmarks, with two views.

Finding and reading images belongs in ``reading`` and ``datasets``.
"""
