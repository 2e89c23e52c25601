from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.autograd import DeviceType

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(str(GPU))
    return importlib.import_module


@pytest.fixture
def settings(load, tmp_path: Path):
    return load("settings").Settings(torch.device("cpu"), True, None, tmp_path)


def test_repeats_are_counted_without_the_warm_up(load) -> None:
    calls: list[int] = []
    times = load("timing").repeat_seconds(
        lambda: calls.append(0), torch.device("cpu"), repeats=4, warmup=2
    )
    assert len(times) == 4 and len(calls) == 6 and all(time >= 0 for time in times)
    assert load("timing").spread([3.0, 1.0, 2.0]) == dict(
        seconds=2.0, seconds_low=1.0, seconds_high=3.0, repeats=3
    )


def test_operations_of_a_convolution_by_hand(load) -> None:
    """Two for each product: forward, gradient of the weights, gradient of the input."""
    layer = nn.Conv3d(4, 6, 3, stride=(1, 2, 2), padding=1, bias=False)
    rows = torch.randn(2, 4, 3, 8, 8)
    forward = 2 * (2 * 6 * 3 * 4 * 4) * (4 * 27)
    count = load("training_step").count_flops
    assert sum(count(lambda: layer(rows)).values()) == forward
    assert sum(count(lambda: layer(rows).sum().backward()).values()) == 2 * forward
    rows.requires_grad_()
    assert sum(count(lambda: layer(rows).sum().backward()).values()) == 3 * forward


def test_the_step_does_what_its_layers_do(load, settings) -> None:
    """Convolutions alone have the operations that the step's convolutions have."""
    module = load("training_step")
    step = module.TrainingStep(module.Variant("fp32", "weights", 2), settings)
    weight = step.model.backbone.layer4[1].conv2.conv.weight
    before = weight.clone()
    counted = module.count_flops(step)
    assert not torch.equal(before, weight)
    layers = load("layer_rates").measure("fp32", 2, settings)
    assert layers["flops"] == sum(n for op, n in counted.items() if "convolution" in op)
    names = [layer["layer"] for layer in layers["layers"]]
    assert names[0] == "conv1.conv" and sum(layer["times"] for layer in layers["layers"]) == 20


@pytest.mark.parametrize("layout", ["usual", "loaded", "hook", "weights"])
def test_layouts(load, settings, layout: str) -> None:
    module = load("training_step")
    step = module.TrainingStep(module.Variant("fp32", layout, 2), settings)
    last = dict(memory_format=torch.channels_last_3d)
    clips = step.clips.flatten(0, 1)
    weight = step.model.backbone.layer1[0].conv1.conv.weight
    assert clips.shape == (6, 3, 4, 16, 16)
    assert clips.is_contiguous(**last) == (layout != "usual")
    assert weight.is_contiguous(**last) == (layout == "weights")
    hooks = step.model.backbone.conv1.conv._forward_pre_hooks
    assert bool(hooks) == (layout == "hook")


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("sm90_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc", "convolution"),
        ("cutlass__5x_cudnn::Kernel<cutlass_tensorop_bf16_s16816wgrad_optimized>", "convolution"),
        ("void cudnn::ops::nchwToNhwcKernel<__nv_bfloat16, ...>", "layout"),
        ("void cudnn::bn_fw_tr_1C11_kernel_NCHW<float, ...>", "batch norm"),
        ("void at::native::batch_norm_collect_statistics_channels_last_kernel<...>", "batch norm"),
        ("nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_TNT", "matrix product"),
        ("void at::native::(anonymous namespace)::multi_tensor_apply_kernel<...>", "optimizer"),
        ("void at::native::unrolled_elementwise_kernel<direct_copy_kernel_cuda>", "copy"),
        ("Memcpy HtoD (Pinned -> Device)", "copy"),
        ("void at::native::reduce_kernel<512, 1, at::native::ReduceOp<...>>", "reduction"),
        ("void at::native::vectorized_elementwise_kernel<4, ...>", "elementwise"),
        ("triton_poi_fused_convolution_backward_relu_3", "fused by the compiler"),
        ("something_new", "other"),
    ],
)
def test_kinds_of_kernels(load, kernel: str, kind: str) -> None:
    assert load("kernel_profile").kind_of(kernel) == kind


def test_only_kernels_of_the_device_are_counted(load) -> None:
    def event(name: str, device: DeviceType, annotation: bool, begin: int, end: int):
        return SimpleNamespace(
            name=name,
            device_type=device,
            is_user_annotation=annotation,
            time_range=SimpleNamespace(start=begin, end=end),
            self_device_time_total=end - begin,
        )

    profile = load("kernel_profile")
    events = profile.kernel_events(
        [
            event("aten::conv3d", DeviceType.CPU, False, 0, 500),
            event("Optimizer.step#SGD.step", DeviceType.CUDA, True, 0, 900),
            event("xmma_fprop", DeviceType.CUDA, False, 100, 700),
            event("elementwise_kernel", DeviceType.CUDA, False, 800, 1000),
        ],
        on_gpu=True,
    )
    result = profile.summary(events)
    assert result["shares"] == dict(convolution=0.75, elementwise=0.25)
    assert result["busy_ms"] == pytest.approx(0.8 / profile.STEPS)
    assert result["busy_share"] == pytest.approx(800 / 900)
    assert [kernel["name"] for kernel in result["kernels"]] == ["xmma_fprop", "elementwise_kernel"]
    with pytest.raises(RuntimeError, match="recorded nothing"):
        profile.summary([])


def test_a_step_is_held_against_the_rate_of_its_own_precision(load) -> None:
    figures = dict(
        seconds=0.05, seconds_low=0.04, seconds_high=0.06, clips_per_s=1920.0, peak_mib=2048.0
    )
    table = load("throughput").table(
        {
            "matrix product, fp32": dict(tflops=50.0),
            "matrix product, bf16": dict(tflops=800.0),
            "step, one": dict(figures, precision="bf16", tflops=400.0),
            "step, two": dict(figures, precision="fp32", tflops=40.0),
            "step, three": dict(figures, precision="tf32", tflops=40.0),
            "step, four": dict(skipped="no time"),
        }
    )
    assert "| one | 50 | 40-60 | 1920 | 400 | 0.5 | 2 |" in table
    assert "| two | 50 | 40-60 | 1920 | 40 | 0.8 | 2 |" in table
    assert "| three | 50 | 40-60 | 1920 | 40 | - | 2 |" in table
    assert "| step, four | skipped | no time |" in table


def test_made_up_videos_are_read_by_the_loader(load, settings) -> None:
    videos = load("video_data").video_set(settings)
    assert len(videos.paths()) == 24 and all(path.stat().st_size for path in videos.paths())
    written = videos.paths()[0].stat().st_mtime_ns
    assert load("video_data").video_set(settings).paths()[0].stat().st_mtime_ns == written
    cfg = load("input_pipeline").pipeline_config("cached", 2, settings)
    assert cfg.train_dataloader.dataset.pipeline[0]["type"] == "CachedVideo"
    assert cfg.train_dataloader.dataset.dataset.ann_file == str(videos.train)


def test_a_decoder_that_is_missing_is_a_reason(load, settings, monkeypatch) -> None:
    module = load("input_pipeline")
    monkeypatch.setattr(module, "is_usable", lambda decoder: False)
    assert "decord is not installed" in module.decoding("decord", settings)["skipped"]
