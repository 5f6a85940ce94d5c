# The same with frames and masks of DAVIS 2017 at full resolution. Frames are
# encoded at the same size; masks come out, and are measured, at their own.
# Videos too: --cfg-options test_evaluator.0.videos=True
#
# Not run here: it needs the data.
_base_ = './label-propagation_mcjepa-convnext-tiny_davis2017-480p.py'
out_dir = 'work_dirs/davis2017-full-resolution_mcjepa-convnext-tiny'

test_dataloader = dict(dataset=dict(resolution='Full-Resolution'))
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
