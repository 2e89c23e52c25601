custom_imports = dict(imports=["slic_mmaction"], allow_failed_imports=False)

default_scope = "mmaction"
# A line for each epoch on the console, everything in the log file. "Runner": MMEngine's console.
runner_type = "QuietRunner"
default_hooks = dict(
    runtime_info=dict(type="RuntimeInfoHook"),
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=20, ignore_last=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    # MMEngine's, but a kill or a full disk at any moment leaves one to resume from.
    checkpoint=dict(type="DurableCheckpointHook", interval=5, max_keep_ckpts=3),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    sync_buffers=dict(type="SyncBuffersHook"),
    # Refuses, before the first epoch, what would fail late or never end.
    setup_check=dict(type="SetupCheckHook"),
    # Stops at a NaN loss, and saves no spoilt weights.
    invalid_loss=dict(type="InvalidLossHook"),
    # Seed, commit and config of the run, for tools/analysis/results.py.
    run_record=dict(type="RunRecordHook"),
    # A resumed run ends like one that was never interrupted, or says why not (docs/faults.md).
    exact_resume=dict(type="ExactResumeHook"),
    missed_validation=dict(type="MissedValidationHook"),
)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    # Seconds that ranks wait for each other before they stop (docs/multi_node.md).
    dist_cfg=dict(backend="nccl", timeout=1800),
)
log_processor = dict(type="LogProcessor", window_size=20, by_epoch=True)
vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(type="ActionVisualizer", vis_backends=vis_backends)

log_level = "INFO"
load_from = None
resume = False
