# Write the masks of DAVIS 2017's test-dev split, of which the first ones only
# are public: a submission is the content of the folder masks in out_dir.
# Videos too: --cfg-options test_evaluator.0.videos=True
#
# Not run here: it needs the data.
_base_ = './label-propagation_mcjepa-convnext-tiny_davis2017-480p.py'
out_dir = 'work_dirs/davis2017-test-dev_mcjepa-convnext-tiny'

test_dataloader = dict(dataset=dict(split='test-dev'))
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
]
