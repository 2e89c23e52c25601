"""Computing pseudo-labels from a model and its training videos.

``labelling`` clusters the embeddings of the videos (``embedding``) and further views of them
(``descriptors``), ``report`` checks, logs and saves the result, and ``resume`` restores labels
from a checkpoint. :class:`~slic_mmaction.hooks.PseudoLabelHook` decides when.
"""
