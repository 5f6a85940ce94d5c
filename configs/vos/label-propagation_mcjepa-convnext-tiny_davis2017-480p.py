# Video object segmentation on DAVIS 2017, 480p, validation split, by the
# features of a pretraining:
#   mim test mcjepa_mm \
#       label-propagation_mcjepa-convnext-tiny_davis2017-480p.py \
#       --checkpoint CHECKPOINT
# Prints J and F of every object, writes them as tables and the masks as the
# benchmark's evaluator takes them, below out_dir. For videos with the objects
# drawn over the frames:
#   --cfg-options test_evaluator.0.videos=True
#
# Not run here: it needs the data.
_base_ = [
    '../_base_/models/label-propagation_mcjepa-convnext-tiny.py',
    '../_base_/datasets/vos_davis2017.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/davis2017-480p_mcjepa-convnext-tiny'

test_dataloader = _base_.davis2017_test_dataloader
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
