# The default job: MC-JEPA, small, on the embedded world. No file is read, two
# CPU cores are enough. The paper's recipe is in pretrain/.
#
# Where it differs from the paper's numbers, it is because the world is small:
# a thousand steps instead of hundreds of thousands.
_base_ = [
    './_base_/models/mcjepa_convnext-tiny.py',
    './_base_/datasets/embedded_world.py',
    './_base_/datasets/embedded_val.py',
    './_base_/default_runtime.py',
]
epochs = 10
iters_per_epoch = 100
content_batch, motion_batch = 32, 6
channels = (24, 24, 48, 96, 160, 224)

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, depths=(1, 1, 2, 1), channels=(48, 96, 160, 224)
        )
    ),
    heads=dict(
        content=dict(
            in_channels=224,
            # A batch of 32 says little about the covariance of many
            # dimensions; with 512 the term alone holds the std below 0.6.
            expander_channels=(512, 512, 128),
            # The std settles near 25 / (4 * invariance * (1 - correlation of
            # the views)), below 0.4 at 25 as long as little is learnt.
            vicreg=dict(invariance=6.0),
            # Only the ratio to motion's weight counts. The paper's is 10 to
            # 1 over hundreds of epochs; in these few, flow learnt much more
            # slowly at 1 to 1, and still more slowly at 0.1 to 1.
            loss_weight=0.03,
        ),
        motion=dict(
            loss_weight=1.0,
            decoder=dict(
                in_channels=channels,
                finest=1,  # like PWC-Net; stride 2 costs more than it brings
                # Shallow estimators learn this world in far fewer steps:
                # (64, 64, 48, 32) took more than twice as many.
                hidden=(48, 32, 24),
                radius=3,
                # Found to learn in half as many steps as 'mean' here.
                volume_scale='sqrt',
            ),
            losses=dict(
                # With the paper's weights (1 and 0.2) the features shrink to
                # nothing before flow is learnt: L_vc is too small beside
                # them, at this batch.
                reg=dict(loss_weight=0.01),
                cycle=dict(loss_weight=0.002),
                smooth=dict(loss_weight=6.0),
                vc=dict(max_samples=2048),
            ),
        ),
    ),
)

train_dataloader = _base_.content_train_dataloader
train_dataloader.batch_size = content_batch
train_dataloader.dataset.length = iters_per_epoch * content_batch
motion_dataloader = _base_.motion_train_dataloader
motion_dataloader.batch_size = motion_batch
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=3)

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
