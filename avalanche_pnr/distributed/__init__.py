"""Several processes as one: collectives, shards of data, and how ranks find each other.

Nothing here knows of losses, methods or plugins.
"""
