_base_ = './seg-adamw-40k.py'

poly = _base_.poly
poly.end = 80000
param_scheduler = [_base_.warm_up, poly]
train_cfg = dict(max_iters=80000, val_interval=8000)
default_hooks = dict(checkpoint=dict(interval=8000))
