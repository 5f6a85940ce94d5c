# The linear protocol on the small model of the default job.
_base_ = './linear-seg_mcjepa-convnext-tiny.py'

model = dict(
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(
        arch=dict(
            _delete_=True, depths=(1, 1, 2, 1), channels=(48, 96, 160, 224)
        )
    ),
    neck=dict(in_channels=(48, 96, 160, 224)),
    decode_head=dict(in_channels=528, channels=528, num_classes=11),
    test_cfg=dict(_delete_=True, mode='whole'),
)
