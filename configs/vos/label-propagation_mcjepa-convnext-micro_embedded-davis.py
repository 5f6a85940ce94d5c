# Video object segmentation on clips of the embedded world in the layout of
# DAVIS 2017, by the encoder of the default job:
#   mim run mcjepa_mm export_embedded_world davis2017 data/embedded_davis
#   mim test mcjepa_mm \
#       label-propagation_mcjepa-convnext-micro_embedded-davis.py \
#       --checkpoint work_dirs/quickstart/epoch_8.pth
# Videos too: --cfg-options test_evaluator.0.videos=True
_base_ = [
    '../_base_/models/label-propagation_mcjepa-convnext-micro.py',
    '../_base_/datasets/vos_davis2017.py',
    '../_base_/default_runtime.py',
]
out_dir = 'work_dirs/embedded-davis_mcjepa-convnext-micro'
# Frames of 128 x 192 are enlarged to three times their size: masks are made of
# cells, here of 4 pixels. At their own size instead:
#   --cfg-options test_dataloader.dataset.pipeline.2.short_side=128
short_side = 384

# All levels of the pyramid, as in the validation during pretraining. Level 2
# alone, the one of stride 8, follows this world's objects worse than random
# weights do; see docs/vos.md.
model = dict(
    backbone=dict(out_indices=(0, 1, 2, 3, 4, 5)), levels='all', stride=4
)
test_dataloader = _base_.davis2017_test_dataloader
test_dataloader.dataset.data_root = 'data/embedded_davis/DAVIS'
test_dataloader.dataset.pipeline[2].short_side = short_side
test_evaluator = [
    dict(type='ObjectMaskWriter', out_dir=out_dir, videos=False),
    dict(type='DAVISMetric', out_dir=out_dir),
]
test_cfg = dict()
