# The default job: MC-JEPA, small, on the embedded world. No file is read, two
# CPU cores are enough. The paper's recipe is in pretrain/.
#
# Where it differs from the paper's numbers, it is because the world is small:
# a thousand steps instead of hundreds of thousands.
_base_ = [
    './_base_/models/mcjepa_convnext-micro.py',
    './_base_/datasets/embedded_world.py',
    './_base_/datasets/embedded_val.py',
    './_base_/default_runtime.py',
]
epochs = 8
iters_per_epoch = 100
content_batch, motion_batch = 32, 4

train_dataloader = _base_.content_train_dataloader
train_dataloader.batch_size = content_batch
train_dataloader.dataset.length = iters_per_epoch * content_batch
motion_dataloader = _base_.motion_train_dataloader
motion_dataloader.batch_size = motion_batch
train_cfg = dict(type='ResumableTrainLoop', max_epochs=epochs, val_interval=3)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW',
        lr=1e-3,
        betas=(0.9, 0.999),
        weight_decay=1e-6,
        fused=True,
    ),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = dict(
    type='OneCycleLR',
    eta_max=1e-3,
    total_steps=epochs * iters_per_epoch,
    pct_start=0.1,
    by_epoch=False,
)
custom_hooks = [
    dict(
        type='MultiTaskHook',
        main_task='content',
        tasks=dict(motion=dict(dataloader=motion_dataloader)),
    ),
    # The forward-backward check means something once there is a flow.
    dict(
        type='ScheduleHook',
        target='heads.motion.occlusion_weight',
        begin=0.8 * epochs,
        length=0.2 * epochs,
    ),
    dict(type='PretrainVisualizationHook', interval=3),
]
default_hooks = dict(checkpoint=dict(interval=3))
randomness = dict(seed=0)
