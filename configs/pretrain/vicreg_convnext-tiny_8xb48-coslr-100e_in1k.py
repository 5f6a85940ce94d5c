# VICReg alone: the content task of the paper's recipe.
_base_ = './mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py'

model = dict(heads=dict(motion=None))
train_dataloader = dict(motion=None)
custom_hooks = [dict(type='MultiTaskHook', main_task='content')]
val_dataloader = dict(motion=None)
val_evaluator = dict(motion=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
find_unused_parameters = False
