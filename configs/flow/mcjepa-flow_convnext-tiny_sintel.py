# Test flow on both passes of MPI Sintel, the split with public labels:
#   mim test mcjepa_mm mcjepa-flow_convnext-tiny_sintel.py \
#       --checkpoint CHECKPOINT
_base_ = [
    '../_base_/models/mcjepa-flow_convnext-tiny.py',
    '../_base_/datasets/flow_sintel.py',
    '../_base_/default_runtime.py',
]

test_dataloader = [
    _base_.sintel_clean_test_dataloader,
    _base_.sintel_final_test_dataloader,
]
test_evaluator = [
    dict(type='SintelFlowMetric', prefix='clean'),
    dict(type='SintelFlowMetric', prefix='final'),
]
test_cfg = dict(type='mmflow.MultiTestLoop')
