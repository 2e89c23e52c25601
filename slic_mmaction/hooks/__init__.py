"""MMEngine hooks for training with SLIC."""

from .backbone_loading_hook import BackboneLoadingHook
from .bfloat16_hook import BFloat16Hook
from .channels_last_hook import ChannelsLastHook
from .compile_hook import CompileBackboneHook
from .durable_checkpoint_hook import DurableCheckpointHook
from .embedding_queue_hook import EmbeddingQueueHook
from .exact_resume_hook import ExactResumeHook
from .invalid_loss_hook import InvalidLossHook
from .plain_report_hook import PlainReportHook
from .pseudo_label_hook import PseudoLabelHook
from .run_record_hook import RunRecordHook
from .setup_check_hook import SetupCheckHook
from .validation_hooks import InitialValidationHook, MissedValidationHook

__all__ = [
    "BFloat16Hook",
    "BackboneLoadingHook",
    "ChannelsLastHook",
    "CompileBackboneHook",
    "DurableCheckpointHook",
    "EmbeddingQueueHook",
    "ExactResumeHook",
    "InitialValidationHook",
    "InvalidLossHook",
    "MissedValidationHook",
    "PlainReportHook",
    "PseudoLabelHook",
    "RunRecordHook",
    "SetupCheckHook",
]
