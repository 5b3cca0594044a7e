"""What the processes of a training send each other: counted, measured, and at scale.

``python -m experiments.measurements.communication``; the figures are in
``docs/scale.md``.
"""
