"""What a run needs that can be stopped: signals, locks, files that are whole or absent.

Nothing here knows of losses, methods or plugins.
"""
