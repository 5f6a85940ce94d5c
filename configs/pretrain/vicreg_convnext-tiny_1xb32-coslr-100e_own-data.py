# VICReg alone on your own images, one GPU: the content task of
# mcjepa_convnext-tiny_1xb32-coslr-100e_own-data.py alone, as long.
#   MCJEPA_IMAGES=/path/to/images \
#       mim train mcjepa_mm vicreg_convnext-tiny_1xb32-coslr-100e_own-data.py
_base_ = './mcjepa_convnext-tiny_1xb32-coslr-100e_own-data.py'

model = dict(heads=dict(motion=None))
train_dataloader = dict(motion=None)
custom_hooks = [dict(type='MultiTaskHook', main_task='content')]
val_dataloader = dict(motion=None)
val_evaluator = dict(motion=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
