# YouTube-VOS, the frames in which objects begin given, with the frame size of
# DINO's label propagation. A sample is a frame: a process gets whole
# sequences, one frame after the other.
youtube_vos_test_pipeline = [
    dict(type='mcjepa_mm.LoadVideoFrame'),
    dict(type='mcjepa_mm.LoadObjectMask'),
    dict(type='mcjepa_mm.ResizeShortSide', short_side=480, multiple=64),
    dict(type='mcjepa_mm.PackVideoFrame'),
]

youtube_vos_test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='mcjepa_mm.SequenceSampler'),
    dataset=dict(
        type='mcjepa_mm.YouTubeVOS',
        data_root='data/YouTubeVOS',
        split='valid',
        pipeline=youtube_vos_test_pipeline,
    ),
)
