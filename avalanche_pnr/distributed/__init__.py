"""Several processes as one: collectives, shards of batches, and rendezvous of ranks.

Nothing here knows about losses, methods or plugins.
"""
