# Write the flow of KITTI 2015's test split for its server: zip the folder
# `flow` that it makes.
_base_ = './mcjepa-flow_convnext-tiny_kitti2015.py'

test_dataloader = dict(dataset=dict(test_mode=True))
test_evaluator = dict(
    _delete_=True,
    type='FlowSubmission',
    out_dir='work_dirs/kitti2015_submission',
    layout='kitti',
)
