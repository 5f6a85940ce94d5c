# The frozen linear protocol, small, on CamVid: checkpoints of the default job
# and of the small jobs on one's own data. One core is enough.
_base_ = [
    '../_base_/models/linear-seg_mcjepa-convnext-micro.py',
    '../_base_/datasets/camvid.py',
    'mmseg::_base_/default_runtime.py',
]

optim_wrapper = dict(
    type='OptimWrapper',
    # 100 times the protocol's rate, for a hundredth of its iterations.
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.05),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=15),
    dict(
        type='PolyLR',
        power=1.0,
        eta_min=0.0,
        by_epoch=False,
        begin=15,
        end=400,
    ),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=400, val_interval=400)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=400),
)
randomness = dict(seed=0)
