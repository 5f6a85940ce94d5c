# The default job's checkpoints as a flow estimator, on held-out pairs of the
# embedded world: no file is read.
_base_ = [
    '../_base_/models/mcjepa-flow_convnext-micro.py',
    '../_base_/datasets/embedded_val.py',
    '../_base_/default_runtime.py',
]

model = dict(
    # The embedded world is RGB.
    data_preprocessor=dict(bgr_to_rgb=False),
    test_cfg=dict(bidirectional=True),
)
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = dict(_delete_=True, **_base_.motion_val_dataloader)
test_evaluator = dict(_delete_=True, type='SintelFlowMetric')
test_cfg = dict(_delete_=True)
