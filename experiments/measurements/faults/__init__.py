"""Real runs meet what kills runs, and are continued.

``python -m experiments.measurements.faults``: each time a run of the main job is
started as a process, struck by a fault at a random moment, and started again by the
same command. What it ends with is compared, to the last bit, with a run that nothing
happened to.
"""
