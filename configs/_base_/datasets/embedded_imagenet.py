# Pictures of the embedded world, in ImageNet's layout; docs/classification.md
# has the command that writes them. Pictures get the size of the pretraining's
# views. They are flipped and not cropped: a class is an outline and a pattern,
# and in few epochs a probe ended at a training loss of 1.7 on crops and of 1.2
# on whole pictures.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs64_pil_resize.py'
data_preprocessor = dict(num_classes=10)
embedded_classes = [
    'striped disc',
    'checked square',
    'spotted triangle',
    'banded star',
    'sector ring',
    'gridded cross',
    'zigzag heart',
    'spiral hexagon',
    'brick crescent',
    'scaled flower',
]

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='Resize',
        scale=(64, 64),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='Resize',
        scale=(64, 64),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root='data/embedded_imagenet',
        metainfo=dict(classes=embedded_classes),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root='data/embedded_imagenet',
        metainfo=dict(classes=embedded_classes),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
