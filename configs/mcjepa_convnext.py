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

content_dataloader = _base_.content_train_dataloader
content_dataloader.batch_size = content_batch
content_dataloader.dataset.length = iters_per_epoch * content_batch
motion_dataloader = _base_.motion_train_dataloader
motion_dataloader.batch_size = motion_batch
# Both frames are cut from scenes of 144 pixels, up to 16 pixels apart.
motion_dataloader.dataset.update(
    size=(144, 144), crop_size=(128, 128), max_offset=16
)
train_dataloader = dict(content=content_dataloader, motion=motion_dataloader)
train_cfg = dict(type='MultiTaskTrainLoop', max_epochs=epochs, val_interval=3)

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW',
        lr=1e-3,
        betas=(0.9, 0.999),
        weight_decay=1e-6,
        fused=True,
    ),
    # For accidents only. The norm is the decoder's; at 1 it scaled content's
    # gradient by another number in each step, and content started late.
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
    dict(type='MultiTaskHook', main_task='content'),
    # The forward-backward check means something once there is a flow.
    dict(
        type='ScheduleHook',
        target='heads.motion.occlusion_weight',
        begin=0.8 * epochs,
        length=0.2 * epochs,
    ),
    # The coarse levels need not end where the finest does.
    dict(
        type='ScheduleHook',
        target='heads.motion.rec_levels_weight',
        begin=0.4 * epochs,
        length=0.4 * epochs,
        start=1.0,
        end=0.1,
    ),
    dict(type='PretrainVisualizationHook', interval=3),
]
default_hooks = dict(checkpoint=dict(interval=3))
randomness = dict(seed=0)
