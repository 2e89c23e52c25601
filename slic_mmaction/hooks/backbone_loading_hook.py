"""Loading a pretrained backbone for a new head, with a report and checks."""

from __future__ import annotations

from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from ..checkpoints.key_maps import OURS, detect_format
from ..checkpoints.loading_report import SHOWN, LoadingReport, compare_states, part_of, report_table

BACKBONE, HEAD = "backbone", "cls_head"


@HOOKS.register_module()
class BackboneLoadingHook(Hook):
    """Load the matching weights of ``load_from``: the backbone, and the head of a classifier.

    MMEngine loads with ``strict=False``: weights without a matching name stay random, with a line
    in the log. This hook drops a head of another type (SLIC's projection) or another number of
    classes, and logs a table of matched, missing and unexpected names. It stops a run

    - whose checkpoint lacks most of the backbone, or has no weights under ``state_dict``,
    - that trains without a checkpoint (to train from scratch, use a config without this hook),
    - that tests or validates a head without weights in the checkpoint.

    Args:
        min_matched: Smallest share of the backbone's parameters that the checkpoint must have.

    Raises:
        ValueError: In these cases, or if min_matched is not in 0..1.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="BackboneLoadingHook", min_matched=0.9)]  # in a config
        >>> HOOKS.build(custom_hooks[0]).min_matched
        0.9
    """

    def __init__(self, min_matched: float = 0.5) -> None:
        if not 0 <= min_matched <= 1:
            raise ValueError(
                f"BackboneLoadingHook needs min_matched in 0..1, but got {min_matched}."
            )
        self.min_matched = min_matched
        self._report: LoadingReport | None = None
        self._trained = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare the checkpoint with the model, log a table, and drop unusable weights."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        state = checkpoint.get("state_dict", checkpoint)
        if not all(isinstance(value, Tensor) for value in state.values()):
            raise ValueError(
                "The checkpoint does not have its weights under 'state_dict', as MMEngine's do "
                f"(it has {', '.join(map(repr, list(state)[:SHOWN]))}): it is from another "
                "project; convert it with tools/convert_checkpoint.py."
            )
        report = compare_states(state, model.state_dict())
        title = f"From the checkpoint into {type(model).__name__}"
        runner.logger.info(f"\n{report_table(report, title)}")
        share = report.matched_share(BACKBONE)
        if share < self.min_matched:
            raise ValueError(_refusal(share, self.min_matched, report, list(state)))
        for name in report.rejected:
            del state[name]
        self._report = report

    def before_train(self, runner: Runner) -> None:
        """Refuse to finetune without a checkpoint."""
        if self._report is None:
            raise ValueError(
                "This config finetunes a pretrained backbone, but no checkpoint was loaded: add "
                "--cfg-options load_from=CHECKPOINT, or train from scratch with "
                "configs/finetune/scratch_*.py."
            )
        self._trained = True

    def before_test(self, runner: Runner) -> None:
        """Refuse to evaluate a head with random weights."""
        if self._trained or self._report is None:
            return
        lacking = [*self._report.missing, *self._report.reshaped]
        if any(part_of(name) == HEAD for name in lacking):
            raise ValueError(
                "The checkpoint has no classifier for this config (a pretrained backbone alone, "
                "or one of other classes), so its accuracy would be that of random weights: "
                "finetune it first, with tools/train.py and load_from."
            )

    before_val = before_test


def _refusal(share: float, limit: float, report: LoadingReport, names: list[str]) -> str:
    lacking = [*report.missing, *report.reshaped]
    wanted = next((name for name in lacking if part_of(name) == BACKBONE), None)
    offered = ", ".join(report.rejected[:SHOWN]) or "none"
    why = "another backbone, or names of another project"
    source = detect_format(names)
    if source not in (None, OURS):
        why = (
            f"these are {source} names: convert the file with tools/convert_checkpoint.py "
            "CHECKPOINT OUT --to mmaction"
        )
    elif report.reshaped:
        why = "the backbone has another width or depth: set model.backbone as it was pretrained"
    return (
        f"The checkpoint holds {share:.0%} of the backbone's parameters, less than "
        f"{limit:.0%}: the model looks for {wanted}, among others, and the checkpoint's names "
        f"that do not fit begin with {offered}; {why}."
    )
