# The same with checkpoints of the default job and of the small jobs on one's
# own data.
_base_ = [
    '../_base_/models/mcjepa-flow_convnext-micro.py',
    '../_base_/datasets/flow_middlebury.py',
    '../_base_/default_runtime.py',
]

test_dataloader = _base_.middlebury_test_dataloader
test_evaluator = dict(type='FlowEPE')
test_cfg = dict()
