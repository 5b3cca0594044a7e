"""Random numbers that come out again: generator states and seeded samples.

Nothing here knows of losses, methods or plugins.
"""
