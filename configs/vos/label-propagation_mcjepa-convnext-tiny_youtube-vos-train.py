# J and F on YouTube-VOS's train split, which has masks of all frames. Nothing
# is trained on it here, but a backbone may have been.
#
# Not run here: it needs the data.
_base_ = './label-propagation_mcjepa-convnext-tiny_youtube-vos-valid.py'
out_dir = 'work_dirs/youtube-vos-train_mcjepa-convnext-tiny'

test_dataloader = dict(dataset=dict(split='train'))
test_evaluator = [dict(type='DAVISMetric', out_dir=out_dir)]
