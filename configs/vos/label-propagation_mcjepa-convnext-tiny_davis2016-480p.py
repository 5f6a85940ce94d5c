# Video object segmentation on DAVIS 2016, 480p, validation split, one object
# a sequence, by the features of a pretraining:
#   mim test mcjepa_mm \
#       label-propagation_mcjepa-convnext-tiny_davis2016-480p.py \
#       --checkpoint CHECKPOINT
#
# Not run here: it needs the data.
_base_ = [
    '../_base_/models/label-propagation_mcjepa-convnext-tiny.py',
    '../_base_/datasets/vos_davis2016.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/davis2016-480p_mcjepa-convnext-tiny'

test_dataloader = _base_.davis2016_test_dataloader
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
