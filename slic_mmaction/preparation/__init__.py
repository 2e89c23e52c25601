"""Preparing datasets, from downloaded archives to annotation files, for ``tools/data``.

Training does not need it, and importing ``slic_mmaction`` does not import it.
"""
