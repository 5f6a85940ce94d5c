# Supervised training on FlyingChairs by mmflow's loss and its long schedule,
# from a pretraining checkpoint: --cfg-options load_from=CHECKPOINT. Not run
# here: it needs the data and the GPUs.
_base_ = [
    '../_base_/models/mcjepa-flow_convnext-tiny.py',
    '../_base_/datasets/flow_flyingchairs.py',
    '../_base_/default_runtime.py',
]

model = dict(
    # Levels 1 to 6 have strides 2 to 64; the loss's own weights begin at 2.
    head=dict(decoder=dict(finest=1)),
    flow_loss=dict(type='mmflow.MultiLevelEPE'),
)
train_dataloader = _base_.flyingchairs_train_dataloader
train_dataloader.batch_size = 1
train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
val_dataloader = _base_.flyingchairs_test_dataloader
val_evaluator = dict(type='FlowEPE')
val_cfg = dict()
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict()

# mmflow's schedule_s_long.
train_cfg = dict(by_epoch=False, max_iters=1200000, val_interval=100000)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4, weight_decay=4e-4),
)
param_scheduler = dict(
    type='MultiStepLR',
    by_epoch=False,
    gamma=0.5,
    milestones=[400000, 600000, 800000, 1000000],
)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(interval=100000, by_epoch=False),
)
