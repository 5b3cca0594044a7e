"""Communication between the processes of a training: counted, timed, estimated.

``python -m experiments.measurements.communication``; the figures are in
``docs/scale.md``.
"""
