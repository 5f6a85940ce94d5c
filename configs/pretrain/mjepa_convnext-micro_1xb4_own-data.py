# M-JEPA alone on your own videos, small: the motion task of
# mcjepa_convnext-micro_1xb32_own-data.py alone, as long.
#   MCJEPA_VIDEOS=/path/to/videos \
#       mim train mcjepa_mm mjepa_convnext-micro_1xb4_own-data.py
_base_ = './mcjepa_convnext-micro_1xb32_own-data.py'

model = dict(heads=dict(content=None))
train_dataloader = dict(content=None)
custom_hooks = _base_.custom_hooks
custom_hooks[0] = dict(type='MultiTaskHook', main_task='motion')
val_dataloader = dict(content=None)
val_evaluator = dict(content=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
