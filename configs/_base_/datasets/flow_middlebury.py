# Middlebury flow with labels: 8 scenes, dense but for pixels that are not
# known. With test_mode=True the data set lists the evaluation set, whose
# labels are not public.
middlebury_test_pipeline = [
    dict(type='mcjepa_mm.LoadFlowPair'),
    dict(type='mcjepa_mm.LoadFlowAnnotations'),
    dict(type='mcjepa_mm.PackFlow'),
]

middlebury_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mcjepa_mm.Middlebury',
        data_root='data/middlebury',
        pipeline=middlebury_test_pipeline,
    ),
)
