"""Optical flow as a second view of a clip: estimation, 8-bit images and files.

The transforms that use it are in ``slic_mmaction.transforms``.
"""
