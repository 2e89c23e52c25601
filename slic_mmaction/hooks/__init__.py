"""MMEngine hooks of SLIC."""

from .backbone_loading_hook import BackboneLoadingHook
from .initial_validation_hook import InitialValidationHook
from .pseudo_label_hook import PseudoLabelHook
from .run_record_hook import RunRecordHook

__all__ = ["BackboneLoadingHook", "InitialValidationHook", "PseudoLabelHook", "RunRecordHook"]
