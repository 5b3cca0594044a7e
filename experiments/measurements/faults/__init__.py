"""Fault injection: real runs are stopped by faults, and continued.

``python -m experiments.measurements.faults``: each time a run of the main job is
started as a process, hit by a fault at a random moment, and started again by the same
command. Its results are compared, bit by bit, with those of a run without faults.
"""
