_base_ = './seg-adamw-40k.py'

poly = _base_.poly
poly.end = 160000
param_scheduler = [_base_.warm_up, poly]
train_cfg = dict(max_iters=160000, val_interval=16000)
default_hooks = dict(checkpoint=dict(interval=16000))
