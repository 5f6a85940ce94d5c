# HD1K with labels: about 1050 pairs of 1080 x 2560, sparse flow. With
# test_mode=True the data set lists hd1k_challenge, without flow.
hd1k_test_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
    dict(type='mcjepa_mm.PackFlow'),
]

hd1k_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.HD1K',
        data_root='data/hd1k',
        pipeline=hd1k_test_pipeline,
    ),
)
