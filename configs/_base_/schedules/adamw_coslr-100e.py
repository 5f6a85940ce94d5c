# The paper's schedule (P/p), weight decay T.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW',
        lr=3e-4,
        betas=(0.9, 0.999),
        # also of norms and biases, which VICReg exempts: at 1e-6 it changes
        # nothing that can be measured
        weight_decay=1e-6,
        fused=True,
    ),
    # 1e-4 for the estimator (p)
    paramwise_cfg=dict(
        custom_keys={'heads.motion.decoder': dict(lr_mult=1 / 3)}
    ),
    clip_grad=dict(max_norm=1.0),  # ?
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        begin=0,
        end=10,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=90,
        begin=10,
        end=100,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='MultiTaskTrainLoop', max_epochs=100, val_interval=5)
