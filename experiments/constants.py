"""Names that runs write and reports read."""

CONFIG = "config.yaml"
"""The whole configuration of a run."""
RESULTS = "results.jsonl"
"""Every number of a run, one JSON object a line."""
STATE = "state.pt"
"""What continues a run."""
FIRST_STATE = "first_experience.pt"
"""The strategy after the first experience, which regularizers share."""
FEATURES = "features_{name}.npz"
"""Features of test images in the end, of each network."""
BACKBONE = "backbone_{name}.safetensors"
"""Weights of each network's backbone in the end."""

RAW, RANDOM = REFERENCES = ("raw pixels", "random backbone")
"""What is judged without being trained."""
RAW_SIDE = 32
"""Raw pixels of a side at most: those of larger images are averaged."""
JOINT, SINGLE = "joint", "single"
"""Trained for comparison: on all data at once, on each experience alone."""
PER_SAMPLE, BATCHED = VIEWS = ("per_sample", "batched")
"""How views are made: of one image after the other, of whole batches on the device."""
