"""What holds for all sizes, seeds, dtypes and files, looked for by hypothesis."""

from hypothesis import settings

settings.register_profile(
    "properties", deadline=None, derandomize=True, database=None, max_examples=40
)
settings.load_profile("properties")
