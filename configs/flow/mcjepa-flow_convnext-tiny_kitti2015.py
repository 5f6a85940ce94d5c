# Test flow on KITTI 2015, the split with public labels:
#   mim test mcjepa_mm mcjepa-flow_convnext-tiny_kitti2015.py \
#       --checkpoint CHECKPOINT
_base_ = [
    '../_base_/models/mcjepa-flow_convnext-tiny.py',
    '../_base_/datasets/flow_kitti2015.py',
    '../_base_/default_runtime.py',
]

test_dataloader = _base_.kitti2015_test_dataloader
test_evaluator = dict(type='KITTIFlowMetric')
test_cfg = dict()
