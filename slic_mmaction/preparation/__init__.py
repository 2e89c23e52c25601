"""From downloaded archives to annotation files: what ``tools/data`` stands on.

Nothing here is needed for training, and importing ``slic_mmaction`` does not import it.
"""
