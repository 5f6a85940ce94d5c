# MPI Sintel with labels: 1041 pairs of 436 x 1024 in each pass. The labels
# of the test split are not public, so the training split is what figures are
# given on: do not train on it for those. With test_mode=True the data sets
# list the test split, without flow, for a submission.
sintel_train_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations', with_masks=False),
    # As mmflow's RAFT.
    dict(
        type='mmflow.ColorJitter',
        asymmetric_prob=0.2,
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.5 / 3.14,
    ),
    # As peers crop, in multiples of 64.
    dict(type='mmflow.RandomCrop', crop_size=(384, 832)),
    dict(type='mmflow.RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmflow.RandomFlip', prob=0.1, direction='vertical'),
    dict(type='mmflow.Validation', max_flow=1000.0),
    dict(type='mcjepa_mm.PackFlow'),
]

sintel_test_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
    dict(type='mcjepa_mm.PackFlow'),
]

sintel_train_sets = [
    dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.Sintel',
            data_root='data/sintel',
            pass_style='clean',
            pipeline=sintel_train_pipeline,
        ),
    ),
    dict(
        type='mcjepa_mm.BadSampleGuard',
        max_bad=10,
        dataset=dict(
            type='mcjepa_mm.Sintel',
            data_root='data/sintel',
            pass_style='final',
            pipeline=sintel_train_pipeline,
        ),
    ),
]

sintel_train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ConcatDataset', datasets=sintel_train_sets),
)

sintel_clean_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.Sintel',
        data_root='data/sintel',
        pass_style='clean',
        pipeline=sintel_test_pipeline,
    ),
)

sintel_final_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.Sintel',
        data_root='data/sintel',
        pass_style='final',
        pipeline=sintel_test_pipeline,
    ),
)
