# Frozen linear segmentation on MC-JEPA's ConvNeXt-T, in the form that
# VICRegL's code has for ConvNeXt: the four stages resized to the finest and
# concatenated, a norm, a 1 x 1 convolution. Only these two are trained.
norm_cfg = dict(type='SyncBN')
data_preprocessor = dict(
    type='SegDataPreProcessor',
    # What the encoder was pretrained on: RGB, ImageNet's statistics.
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch='tiny',
        layer_scale_init_value=0.0,  # as pretrained
        # The levels of the linear heads: ?. These are ConvNeXt's four stages
        # at its own strides, 4 to 32; the pretraining has them at 8 to 64,
        # which was no better on the embedded world.
        out_indices=(2, 3, 4, 5),
        strides=(2, 2, 1, 2, 2, 2),
        frozen_stages=6,  # all, in eval mode
        init_cfg=dict(
            type='Pretrained',
            # --cfg-options model.backbone.init_cfg.checkpoint=...
            checkpoint='work_dirs/pretraining.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(
        type='mcjepa_mm.ResizeConcat',
        in_channels=(96, 192, 384, 768),
        norm_cfg=norm_cfg,
    ),
    decode_head=dict(
        type='FCNHead',  # without convolutions: the classifier alone
        num_convs=0,
        concat_input=False,
        in_channels=1440,
        channels=1440,
        in_index=0,
        dropout_ratio=0.0,
        num_classes=19,
        align_corners=False,
        loss_decode=dict(
            type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
# Registers the package, and patches imports (see mcjepa_mm/compat).
custom_imports = dict(imports=['mcjepa_mm'])
