# VICReg alone, small, on the embedded world: the content task of the default
# job alone, as long.
_base_ = '../mcjepa_convnext.py'

model = dict(heads=dict(motion=None))
train_dataloader = dict(motion=None)
custom_hooks = [dict(type='MultiTaskHook', main_task='content')]
val_dataloader = dict(motion=None)
val_evaluator = dict(motion=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
