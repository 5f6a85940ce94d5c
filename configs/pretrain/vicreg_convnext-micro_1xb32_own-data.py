# VICReg alone on your own images, small: the content task of
# mcjepa_convnext-micro_1xb32_own-data.py alone, as long.
#   MCJEPA_IMAGES=/path/to/images \
#       mim train mcjepa_mm vicreg_convnext-micro_1xb32_own-data.py
_base_ = './mcjepa_convnext-micro_1xb32_own-data.py'

model = dict(heads=dict(motion=None))
train_dataloader = dict(motion=None)
custom_hooks = [dict(type='MultiTaskHook', main_task='content')]
val_dataloader = dict(motion=None)
val_evaluator = dict(motion=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
