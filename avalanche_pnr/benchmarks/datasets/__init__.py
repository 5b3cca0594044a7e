"""Data sets: one loader a file, from a path to :class:`~avalanche_pnr.ImageData`.

What several loaders share (finding, reading and checking images) belongs into
``reading``; how images are cut into experiences, into ``streams``.
"""
