# DAVIS 2016, the validation split of 20 sequences at 480p, one object each.
# Its own archive and that of DAVIS 2017 serve.
davis2016_test_pipeline = [
    dict(type='mcjepa_mm.LoadVideoFrame'),
    dict(type='mcjepa_mm.LoadObjectMask'),
    dict(type='mcjepa_mm.ResizeShortSide', short_side=480, multiple=64),
    dict(type='mcjepa_mm.PackVideoFrame'),
]

davis2016_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mcjepa_mm.SequenceSampler'),
    dataset=dict(
        type='mcjepa_mm.DAVIS2016',
        data_root='data/DAVIS',
        split='val',
        resolution='480p',
        pipeline=davis2016_test_pipeline,
    ),
)
