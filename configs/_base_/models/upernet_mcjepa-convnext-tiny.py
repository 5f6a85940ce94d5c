# UPerNet on MC-JEPA's ConvNeXt-T, all of it trained. The recipe is open (?):
# this is mmsegmentation's for ConvNeXt-T, the field's convention.
norm_cfg = dict(type='SyncBN', requires_grad=True)
data_preprocessor = dict(
    type='SegDataPreProcessor',
    # What the encoder was pretrained on: RGB, ImageNet's statistics.
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
)
loss_decode = dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch='tiny',
        layer_scale_init_value=0.0,  # as pretrained
        drop_path_rate=0.4,
        # ?: ConvNeXt's four stages at its own strides, 4 to 32.
        out_indices=(2, 3, 4, 5),
        strides=(2, 2, 1, 2, 2, 2),
        init_cfg=dict(
            type='Pretrained',
            # --cfg-options model.backbone.init_cfg.checkpoint=...
            checkpoint='work_dirs/pretraining.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(
        type='UPerHead',
        in_channels=[96, 192, 384, 768],
        in_index=[0, 1, 2, 3],
        pool_scales=(1, 2, 3, 6),
        channels=512,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=loss_decode,
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=384,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(loss_decode, loss_weight=0.4),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
# For the optim_wrapper.
layer_decay = dict(
    # mmsegmentation's own would give our stem the rate of the head. It goes
    # stage by stage for ConvNeXt-T, this one by ConvNeXt's groups of layers.
    constructor='mcjepa_mm.LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.9, flat_decay_mult=0.0),
)
# Registers the package, and patches imports (see mcjepa_mm/compat).
custom_imports = dict(imports=['mcjepa_mm'])
