"""Runs that can be stopped and resumed: signals, locks and atomic files.

Nothing here knows about losses, methods or plugins.
"""
