# MC-JEPA on your own images and videos, small: the default job on real data,
# two CPU cores.
#
#   MCJEPA_IMAGES=/path/to/images MCJEPA_VIDEOS=/path/to/videos \
#       mim train mcjepa_mm mcjepa_convnext-micro_1xb32_own-data.py
#
# Longer: --epochs 34; an epoch is 100 steps.
_base_ = ['../mcjepa_convnext.py', '../_base_/datasets/own_data_small.py']

train_dataloader = dict(
    _delete_=True,
    content=_base_.own_content_dataloader,
    motion=_base_.own_motion_dataloader,
)
custom_hooks = _base_.custom_hooks
custom_hooks[-1].dataset = _base_.own_motion_dataloader.dataset
