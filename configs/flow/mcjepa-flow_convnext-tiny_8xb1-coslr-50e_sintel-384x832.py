# Flow without labels on MPI Sintel, from a pretraining checkpoint:
# --cfg-options load_from=CHECKPOINT. The labels serve the test alone. Not run
# here: it needs the data and the GPUs.
_base_ = './mcjepa-flow_convnext-tiny_sintel.py'

pipeline = [
    dict(type='LoadFlowPair'),
    dict(type='mmflow.RandomCrop', crop_size=(384, 832)),  # as peers do
    dict(type='mmflow.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackFlow'),
]
clean, final = _base_.sintel_train_sets
clean.dataset.pipeline = pipeline
final.dataset.pipeline = pipeline
train_dataloader = _base_.sintel_train_dataloader
train_dataloader.batch_size = 1
train_dataloader.dataset.datasets = [clean, final]

optim_wrapper = dict(
    type='OptimWrapper',
    # The estimator's rate of the pretraining (p).
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-6),
    clip_grad=dict(max_norm=1.0),  # ?
)
param_scheduler = dict(
    type='CosineAnnealingLR',
    T_max=50,
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=50)
