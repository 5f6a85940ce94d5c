# The paper's backbone ablation: ResNet-50, more than 10 points below
# ConvNeXt-T on VOC (p). Not run here: it needs the data and the GPUs.
_base_ = './mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py'

# Four levels, strides 4 to 32, where ConvNeXt-T has six, 2 to 64. mmpretrain's
# backbones do not tell their channels and strides.
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        out_indices=(0, 1, 2, 3),
    ),
    heads=dict(
        content=dict(in_channels=2048),
        motion=dict(
            decoder=dict(
                in_channels=(256, 512, 1024, 2048), strides=(4, 8, 16, 32)
            ),
            losses=dict(
                # T gives them deepest first: the deepest four (I).
                vc=dict(
                    variance=(0.01, 0.01, 0.01, 0.01),
                    covariance=(0.0, 0.001, 0.04, 0.04),
                ),
            ),
        ),
    ),
)
# The encoder's batch norm: statistics are those of all GPUs.
sync_bn = 'torch'
