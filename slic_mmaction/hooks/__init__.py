"""MMEngine hooks of SLIC."""

from .initial_validation_hook import InitialValidationHook
from .pseudo_label_hook import PseudoLabelHook

__all__ = ["InitialValidationHook", "PseudoLabelHook"]
