"""The smallest job that trains, tests, saves and resumes."""

custom_imports = dict(imports=['toy_parts'])
default_scope = 'mcjepa_mm'
model = dict(type='ToyLine')
train_dataloader = dict(
    batch_size=2,
    dataset=dict(type='ToyNumbers'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
test_dataloader = dict(
    batch_size=2,
    dataset=dict(type='ToyNumbers'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
)
test_cfg = dict()
test_evaluator = dict(type='ToyCount')
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
