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
pictures = _base_.content_train_dataloader
distill_dataloader = dict(
    pictures,
    batch_size=16,
    dataset=dict(
        pictures.dataset,
        pipeline=[
            *_base_.embedded_both_views,
            dict(type='mcjepa_mm.PackViews'),
        ],
    ),
)
train_dataloader = dict(distill=distill_dataloader)
