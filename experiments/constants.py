"""Names that runs write and reports read."""

CONFIG = "config.yaml"
"""File with the whole configuration of a run."""
RESULTS = "results.jsonl"
"""File with every number of a run, one JSON object a line."""
STATE = "state.pt"
"""File with the state from which a run is continued."""
FIRST_STATE = "first_experience.pt"
"""File with the strategy after the first experience, which regularizers share."""
FEATURES = "features_{name}.npz"
"""File with the final features of test images, for each network."""
BACKBONE = "backbone_{name}.safetensors"
"""File with the final weights of each network's backbone."""

RAW, RANDOM = REFERENCES = ("raw pixels", "random backbone")
"""References that are evaluated without training."""
RAW_SIDE = 32
"""Largest side of raw pixels; larger images are reduced by averaging."""
JOINT, SINGLE = "joint", "single"
"""Training for comparison: on all data at once, on each experience alone."""
PER_SAMPLE, BATCHED = VIEWS = ("per_sample", "batched")
"""Ways to make views: of single images, or of whole batches on the device."""
