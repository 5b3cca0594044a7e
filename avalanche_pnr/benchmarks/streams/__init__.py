"""Streams of experiences: images cut into Avalanche benchmarks, with two views.

Where the images come from, and how they are read, is none of a stream's business.
"""
