_base_ = '../mcjepa_convnext.py'
dense_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.EmbeddedPairs',
        length=20000,
        seed=5,
        split='train',
        size=(128, 128),
        with_gt=False,
        num_frames=1,
    ),
)
img_norm = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
model = dict(
    heads=dict(
        dense=dict(
            type='DenseVICRegHead',
            in_channels=(96, 160),
            levels=(3, 4),
            vicreg=dict(type='VICRegLoss', invariance=6.0),
            loss_weight=0.01,
        )
    ),
    data_preprocessor=dict(
        tasks=dict(
            dense=dict(
                type='ViewsDataPreprocessor', non_blocking=True, **img_norm
            )
        )
    ),
)
custom_hooks = _base_.custom_hooks
custom_hooks[0]['tasks']['dense'] = dict(dataloader=dense_dataloader)
