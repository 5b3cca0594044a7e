"""Parts that comparison and learner share: above all stopping and resuming a run.

Nothing here knows about losses, methods or plugins.
"""
