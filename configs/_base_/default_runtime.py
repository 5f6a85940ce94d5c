default_scope = 'mcjepa_mm'
# Registers the package, and patches imports (see mcjepa_mm/compat).
custom_imports = dict(imports=['mcjepa_mm'])

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    agreement=dict(type='BatchConsistencyHook'),
    bad_samples=dict(type='BadSampleHook'),
    loss_guard=dict(type='LossGuardHook'),
    collapse_monitor=dict(type='CollapseMonitorHook', interval=50),
    idle_tasks=dict(type='IdleTaskHook', interval=50),
    stop=dict(type='GracefulStopHook'),
)
env_cfg = dict(
    cudnn_benchmark=True,  # views and frames keep their size
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
vis_backends = [
    dict(type='LocalVisBackend'),
    dict(type='TensorboardVisBackend'),
]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)

log_processor = dict(type='ShortLogProcessor')
log_level = 'INFO'
load_from = None
resume = False
