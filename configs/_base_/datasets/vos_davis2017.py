# DAVIS 2017, the validation split of 30 sequences at 480p, with the frame
# size of DINO's label propagation. A sample is a frame: a process gets whole
# sequences, one frame after the other.
davis2017_test_pipeline = [
    dict(type='mcjepa_mm.LoadVideoFrame'),
    dict(type='mcjepa_mm.LoadObjectMask'),
    dict(type='mcjepa_mm.ResizeShortSide', short_side=480, multiple=64),
    dict(type='mcjepa_mm.PackVideoFrame'),
]

davis2017_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mcjepa_mm.SequenceSampler'),
    dataset=dict(
        type='mcjepa_mm.DAVIS2017',
        data_root='data/DAVIS',
        split='val',
        resolution='480p',
        pipeline=davis2017_test_pipeline,
    ),
)
