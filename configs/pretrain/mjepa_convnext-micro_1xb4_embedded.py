# M-JEPA, small, on the embedded world: the motion task of the default job
# alone. Options of the flow are tried on it (docs/results/flow.md).
_base_ = [
    '../_base_/models/mcjepa_convnext-micro.py',
    '../_base_/datasets/embedded_world.py',
    '../_base_/datasets/embedded_val.py',
    '../_base_/default_runtime.py',
]
epochs, iters_per_epoch, batch = 5, 100, 4

model = dict(heads=dict(content=None))
motion_dataloader = _base_.motion_train_dataloader
motion_dataloader.batch_size = batch
motion_dataloader.dataset.update(
    length=iters_per_epoch * batch,
    size=(144, 144),
    crop_size=(128, 128),
    max_offset=16,
)
train_dataloader = dict(motion=motion_dataloader)
train_cfg = dict(
    type='MultiTaskTrainLoop', max_epochs=epochs, val_interval=epochs
)
val_dataloader = dict(content=None)
val_evaluator = dict(content=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW',
        lr=1e-3,
        betas=(0.9, 0.999),
        weight_decay=1e-6,
        fused=True,
    ),
    clip_grad=dict(max_norm=100.0),
)
param_scheduler = dict(
    type='OneCycleLR',
    eta_max=1e-3,
    total_steps=epochs * iters_per_epoch,
    pct_start=0.1,
    by_epoch=False,
)
custom_hooks = [
    dict(type='MultiTaskHook', main_task='motion'),
    dict(
        type='ScheduleHook',
        target='heads.motion.occlusion_weight',
        begin=0.8 * epochs,
        length=0.2 * epochs,
    ),
    dict(
        type='ScheduleHook',
        target='heads.motion.rec_levels_weight',
        begin=0.4 * epochs,
        length=0.4 * epochs,
        start=1.0,
        end=0.1,
    ),
]
default_hooks = dict(checkpoint=dict(interval=epochs))
randomness = dict(seed=0)
