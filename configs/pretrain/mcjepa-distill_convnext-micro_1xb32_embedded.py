# The default job with a third task: match the maps of a frozen teacher.
#   MCJEPA_TEACHER=/path/to/checkpoint.pth
# The teacher is an encoder of this size; any backbone can take its place, see
# docs/pretraining.md.
_base_ = '../mcjepa_convnext.py'

import os  # noqa: E402  a path is data: a quote in it would end this text

teacher = dict(
    type='mcjepa_mm.MCJEPAConvNeXt',
    arch=_base_.model.backbone.arch,
    layer_scale_init_value=0.0,
    init_cfg=dict(
        type='Pretrained',
        checkpoint=os.environ.get(
            'MCJEPA_TEACHER',
            'work_dirs/vicreg_convnext-micro_1xb32_embedded/epoch_8.pth',
        ),
        prefix='backbone.',
    ),
)
model = dict(
    heads=dict(
        distill=dict(
            type='DistillationHead',
            teacher=teacher,
            levels=((3, 3), (4, 4), (5, 5)),
        )
    ),
    data_preprocessor=dict(
        tasks=dict(
            distill=dict(type='ViewsDataPreprocessor', **_base_.img_norm)
        )
    ),
)
distill_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mcjepa_mm.EmbeddedImages',
        length=3200,
        cache=True,
        split='train',
        size=(96, 96),
        pipeline=[
            *_base_.embedded_both_views,
            dict(type='mcjepa_mm.PackViews'),
        ],
    ),
)
train_dataloader = dict(distill=distill_dataloader)
