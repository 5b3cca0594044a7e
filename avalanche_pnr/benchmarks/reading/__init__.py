"""Reading: images in files, arrays, shards and data sets as RGB, with checked labels.

No data set is known by its name here, and nothing is cut into experiences.
"""
