"""Reproducible random numbers: generator states and seeded samples.

Nothing here knows about losses, methods or plugins.
"""
