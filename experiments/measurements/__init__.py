"""Measurements behind our claims: speed, cost of probes, faults, communication.

Each is a command, such as ``python -m experiments.measurements.speed``; code that runs
or reports need does not belong here.
"""
