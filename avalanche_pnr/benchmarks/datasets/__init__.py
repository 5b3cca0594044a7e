"""Data sets: one loader a file, from a path to :class:`~avalanche_pnr.ImageData`.

Code that several loaders share (finding, reading and checking images) belongs in
``reading``; cutting images into experiences belongs in ``streams``.
"""
