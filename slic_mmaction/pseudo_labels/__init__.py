"""How a pseudo-label comes about: from a model and its training videos to the label store.

``labelling`` says how, from embeddings of the videos (``embedding``) and further views of them
(``descriptors``); ``report`` checks, logs and saves the result, ``resume`` takes labels from a
checkpoint. When it happens is the business of :class:`~slic_mmaction.hooks.PseudoLabelHook`.
"""
