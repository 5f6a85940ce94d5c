# The paper's backbone ablation: PWC-Net's encoder, whose flow is comparable
# to ConvNeXt-T's and whose content is not (VOC 14.8, DAVIS 10.1; p). Not run
# here: it needs the data and the GPUs.
_base_ = './mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py'

# Six levels, strides 2 to 64, as ConvNeXt-T's here: the coefficients of L_vc
# stay.
model = dict(
    backbone=dict(
        _delete_=True,
        type='FlowEncoderBackbone',
        encoder=dict(
            type='mmflow.PWCNetEncoder',
            in_channels=3,
            pyramid_levels=[
                'level1',
                'level2',
                'level3',
                'level4',
                'level5',
                'level6',
            ],
            out_channels=(16, 32, 64, 96, 128, 196),
            # mmflow's PWC-Net gives it to all of its parts.
            init_cfg=dict(
                type='Kaiming',
                nonlinearity='leaky_relu',
                layer='Conv2d',
                mode='fan_in',
                bias=0,
            ),
        ),
    ),
)
