# Write the masks of YouTube-VOS's valid split, of which the server has the
# truth: a submission is the folder Annotations in out_dir, zipped.
#   mim test mcjepa_mm \
#       label-propagation_mcjepa-convnext-tiny_youtube-vos-valid.py \
#       --checkpoint CHECKPOINT
#
# Not run here: it needs the data.
_base_ = [
    '../_base_/models/label-propagation_mcjepa-convnext-tiny.py',
    '../_base_/datasets/vos_youtube.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/youtube-vos-valid_mcjepa-convnext-tiny'

test_dataloader = _base_.youtube_vos_test_dataloader
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, folder='Annotations'),
]
test_cfg = dict()
