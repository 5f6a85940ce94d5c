"""The flow estimator on the smallest encoder: random flow, in milliseconds."""

_base_ = '../../configs/_base_/models/mcjepa-flow_convnext-tiny.py'

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))
    ),
    head=dict(
        decoder=dict(hidden=(8, 8), radius=2),
        losses=dict(_delete_=True, rec=dict(type='PhotometricLoss')),
    ),
)
