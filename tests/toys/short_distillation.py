# The short pretraining with a third task, whose teacher is read from a file.
_base_ = './short_pretraining.py'

channels = (8, 8, 16, 16)
model = dict(
    heads=dict(
        distill=dict(
            type='DistillationHead',
            levels=((2, 2), (5, 5)),
            teacher=dict(
                type='mcjepa_mm.MCJEPAConvNeXt',
                arch=dict(depths=(1, 1, 1, 1), channels=channels),
                init_cfg=dict(type='Pretrained', checkpoint='teacher.pth'),
            ),
        )
    ),
    data_preprocessor=dict(
        tasks=dict(
            distill=dict(type='ViewsDataPreprocessor', **_base_.img_norm)
        )
    ),
)
train_dataloader = dict(
    distill=dict(
        batch_size=2,
        num_workers=0,
        collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(
            type='mcjepa_mm.EmbeddedImages',
            length=6,
            size=(64, 64),
            pipeline=[dict(type='mcjepa_mm.PackViews')],
        ),
    )
)
