# Test flow on the scenes of Middlebury that have labels:
#   mim test mcjepa_mm mcjepa-flow_convnext-tiny_middlebury.py \
#       --checkpoint CHECKPOINT
# EPE over the valid pixels, and beside it that of a flow of zeros.
_base_ = [
    '../_base_/models/mcjepa-flow_convnext-tiny.py',
    '../_base_/datasets/flow_middlebury.py',
    '../_base_/default_runtime.py',
]

test_dataloader = _base_.middlebury_test_dataloader
test_evaluator = dict(type='FlowEPE')
test_cfg = dict()
