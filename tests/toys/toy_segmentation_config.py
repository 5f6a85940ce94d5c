"""mmsegmentation's linear head on the smallest encoder, five classes."""

custom_imports = dict(imports=['mcjepa_mm'])
default_scope = 'mmseg'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch=dict(depths=(1, 1, 1, 1), channels=(4, 6, 8, 10)),
        out_indices=(2, 3, 4, 5),
        strides=(2, 2, 1, 2, 2, 2),
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=4,
        in_index=0,
        channels=4,
        num_convs=1,
        norm_cfg=dict(type='SyncBN'),
        num_classes=5,
    ),
    test_cfg=dict(mode='whole'),
)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=(96, 64), keep_ratio=True),
    dict(type='PackSegInputs'),
]
test_dataloader = dict(
    dataset=dict(
        type='BaseSegDataset',
        metainfo=dict(
            classes=('a', 'b', 'c', 'd', 'e'),
            palette=[[i, 10 * i, 50 * i] for i in range(5)],
        ),
        pipeline=test_pipeline,
    )
)
