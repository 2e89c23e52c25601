"""Names of a network's parameters in several projects.

The network is the 3D ResNet of basic or bottleneck blocks (Hara et al., arXiv 1711.09577), or the
encoder of a self-supervised VideoMAE (Tong et al., arXiv 2203.12602). Each project has a list of
rules, pairs of its name and MMAction2's name. ``{i}``, ``{b}`` and ``{k}`` are numbers of a stage,
block and layer, ``{p}`` is a parameter or buffer, and ``{a}`` is one of an attention layer. The
same rule is used in both directions, so that the two conversions always agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

OURS = "mmaction"
AUTHORS = "authors"
TORCHVISION = "torchvision"
VIDEOMAE = "videomae"

_BLOCK = "layer{i}.{b}"
_DOWNSAMPLE = [
    (f"{_BLOCK}.downsample.0.weight", f"backbone.{_BLOCK}.downsample.conv.weight"),
    (f"{_BLOCK}.downsample.1.{{p}}", f"backbone.{_BLOCK}.downsample.bn.{{p}}"),
]
_RULES: dict[str, list[tuple[str, str]]] = {
    # rvl-lab-utoronto/video_similarity_search, names as in the golden record r3d18.npz.
    AUTHORS: [
        ("conv1.weight", "backbone.conv1.conv.weight"),
        ("bn1.{p}", "backbone.conv1.bn.{p}"),
        (f"{_BLOCK}.conv{{k}}.weight", f"backbone.{_BLOCK}.conv{{k}}.conv.weight"),
        (f"{_BLOCK}.bn{{k}}.{{p}}", f"backbone.{_BLOCK}.conv{{k}}.bn.{{p}}"),
        *_DOWNSAMPLE,
        ("fc1.{p}", "cls_head.projection.0.{p}"),
        ("bn_proj.{p}", "cls_head.projection.1.{p}"),
        ("fc2.{p}", "cls_head.projection.3.{p}"),
    ],
    # torchvision.models.video.r3d_18.
    TORCHVISION: [
        ("stem.0.weight", "backbone.conv1.conv.weight"),
        ("stem.1.{p}", "backbone.conv1.bn.{p}"),
        (f"{_BLOCK}.conv{{k}}.0.weight", f"backbone.{_BLOCK}.conv{{k}}.conv.weight"),
        (f"{_BLOCK}.conv{{k}}.1.{{p}}", f"backbone.{_BLOCK}.conv{{k}}.bn.{{p}}"),
        *_DOWNSAMPLE,
        ("fc.{p}", "cls_head.fc_cls.{p}"),
    ],
    # MCG-NJU/VideoMAE, PretrainVisionTransformer. Its decoder has no counterpart, and neither has
    # the norm after the encoder, which VideoMAE also drops for finetuning. There, as in MMAction2,
    # a new norm follows the mean over the tokens.
    VIDEOMAE: [
        ("encoder.patch_embed.proj.{p}", "backbone.patch_embed.projection.{p}"),
        ("encoder.blocks.{b}.norm{k}.{p}", "backbone.blocks.{b}.norm{k}.{p}"),
        ("encoder.blocks.{b}.attn.{a}", "backbone.blocks.{b}.attn.{a}"),
        ("encoder.blocks.{b}.mlp.fc1.{p}", "backbone.blocks.{b}.mlp.layers.0.0.{p}"),
        ("encoder.blocks.{b}.mlp.fc2.{p}", "backbone.blocks.{b}.mlp.layers.1.{p}"),
    ],
}
_FIELDS = {
    "i": r"[1-4]",
    "b": r"\d+",
    "k": r"[1-3]",
    "p": r"weight|bias|running_mean|running_var|num_batches_tracked",
    "a": r"qkv\.weight|q_bias|v_bias|proj\.weight|proj\.bias",
}
# The name of the first convolution, which every such network has, identifies the project.
_STEMS = {
    "conv1.weight": AUTHORS,
    "stem.0.weight": TORCHVISION,
    "encoder.patch_embed.proj.weight": VIDEOMAE,
}

#: Targets of a conversion. Checkpoints cannot be converted to VideoMAE's format.
FORMATS = (OURS, AUTHORS, TORCHVISION)
#: Prefix of every name in torch's data-parallel wrappers.
WRAPPER = "module."
_OF_A_BACKBONE = re.compile(r"backbone\.|layer\d|stem\.|conv1\.|bn1\.")


def unwrapped(name: str) -> str:
    """Remove the prefix of a data-parallel wrapper from a parameter's name."""
    return name[len(WRAPPER) :] if name.startswith(WRAPPER) else name


def detect_format(names: Iterable[str]) -> str | None:
    """Detect the project of parameter names: one of ``FORMATS``, ``'videomae'``, or None."""
    known = {unwrapped(name) for name in names}
    if any(name.startswith("backbone.") for name in known):
        return OURS
    return next((form for stem, form in _STEMS.items() if stem in known), None)


def convert_keys(
    state: Mapping[str, Tensor], source: str, target: str, backbone_only: bool = False
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Rename all parameters of a network, without copying the tensors.

    Args:
        state: Parameters and buffers by name.
        source: Format of the names, see :func:`detect_format`.
        target: Format of the new names.
        backbone_only: Whether to leave out the head and all unknown names outside the backbone.

    Returns:
        The renamed state, and a dict from old to new names, in the order of ``state``.

    Raises:
        ValueError: If a name has no counterpart.
    """
    converted: dict[str, Tensor] = {}
    renamed: dict[str, str] = {}
    unknown: list[str] = []
    for name, tensor in state.items():
        bare = unwrapped(name)
        ours = bare if source == OURS else _translate(bare, source, to_ours=True)
        in_backbone = ours is not None and ours.startswith("backbone.")
        if backbone_only and not in_backbone and not _OF_A_BACKBONE.match(bare):
            continue
        new = ours if ours is None or target == OURS else _translate(ours, target, to_ours=False)
        if new is None:
            unknown.append(name)
            continue
        converted[new] = tensor
        renamed[name] = new
    if unknown:
        only_head = not any(_OF_A_BACKBONE.match(unwrapped(name)) for name in unknown)
        hint = "it is not the 3D ResNet (R3D) that SLIC uses"
        if only_head and not backbone_only:
            hint = "leave the head out with --backbone-only"
        some = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        raise ValueError(
            f"{len(unknown)} of {len(state)} names of the {source} checkpoint have no counterpart "
            f"among {target} names ({some}): {hint}."
        )
    return converted, renamed


def _translate(name: str, form: str, to_ours: bool) -> str | None:
    for theirs, ours in _RULES[form]:
        old, new = (theirs, ours) if to_ours else (ours, theirs)
        pattern = re.escape(old)
        for field, choices in _FIELDS.items():
            pattern = pattern.replace(re.escape(f"{{{field}}}"), f"(?P<{field}>{choices})")
        match = re.fullmatch(pattern, name)
        if match:
            return new.format(**match.groupdict())
    return None
