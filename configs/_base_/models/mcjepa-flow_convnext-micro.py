# The motion half of the small model, with which the default job's checkpoints
# are tested.
_base_ = './mcjepa_convnext-micro.py'

model = dict(
    _delete_=True,
    type='MCJEPAFlow',
    backbone=_base_.model.backbone,
    head=_base_.model.heads.motion,
    data_preprocessor=dict(
        type='mmflow.FlowDataPreprocessor',
        bgr_to_rgb=True,
        **_base_.img_norm,
    ),
    test_cfg=dict(scale=1.0, bidirectional=False),
)
