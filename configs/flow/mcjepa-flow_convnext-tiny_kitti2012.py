# Test flow on KITTI 2012, the split with public labels:
#   mim test mcjepa_mm mcjepa-flow_convnext-tiny_kitti2012.py \
#       --checkpoint CHECKPOINT
_base_ = [
    '../_base_/models/mcjepa-flow_convnext-tiny.py',
    '../_base_/datasets/flow_kitti2012.py',
    '../_base_/default_runtime.py',
]

test_dataloader = _base_.kitti2012_test_dataloader
test_evaluator = dict(type='KITTI2012FlowMetric')
test_cfg = dict()
