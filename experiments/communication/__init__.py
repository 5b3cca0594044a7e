"""What the processes of a training send each other: counted, measured, and at scale.

``python -m experiments.communication``; the figures are in ``docs/scale.md``.
"""
