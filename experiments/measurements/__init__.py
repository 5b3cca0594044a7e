"""What proves our claims: speed, cost of judging, faults survived, communication.

Each is a command, as ``python -m experiments.measurements.speed``; what a run or its
report needs does not belong here.
"""
