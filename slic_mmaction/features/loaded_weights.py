"""Whether the network that is evaluated is the one in the checkpoint."""

from __future__ import annotations

from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader

from ..checkpoints import compare_states


def check_weights(model: BaseModel, checkpoint: str, layer: str) -> None:
    """Refuse a checkpoint that lacks weights which a layer's output depends on.

    MMEngine only warns, and then random weights are evaluated.

    Args:
        model (BaseModel): A recognizer, not wrapped for distribution.
        checkpoint (str): Path or address that its weights were loaded from.
        layer (str): ``'projection'`` or ``'backbone'``.

    Raises:
        ValueError: If a weight is missing or of another shape.
    """
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location="cpu")
    report = compare_states(content.get("state_dict", content), model.state_dict())
    parts = ("backbone.", "cls_head.") if layer == "projection" else ("backbone.",)
    lacking = [
        name
        for name in (*report.missing, *report.reshaped)
        if name.removeprefix("module.").startswith(parts)
        # Old checkpoints lack this counter, which evaluation does not read.
        and not name.endswith("num_batches_tracked")
    ]
    if lacking:
        raise ValueError(
            f"The checkpoint {checkpoint} lacks {len(lacking)} weights of the {layer} feature, or "
            f"has them in another shape, first {lacking[0]}: use the config that it was trained "
            "with, or tools/convert_checkpoint.py if it comes from another project."
        )
