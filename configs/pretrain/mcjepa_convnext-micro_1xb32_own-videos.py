# MC-JEPA on your own videos alone, small:
# mcjepa_convnext-micro_1xb32_own-data.py, but the two views of content are of
# two frames of a clip.
#   MCJEPA_VIDEOS=/path/to/videos \
#       mim train mcjepa_mm mcjepa_convnext-micro_1xb32_own-videos.py
_base_ = './mcjepa_convnext-micro_1xb32_own-data.py'

pairs = _base_.own_motion_dataloader.dataset.datasets[0].dataset
frame_views = dict(
    _delete_=True,
    type='mcjepa_mm.FramePairs',
    data_root=pairs.data_root,
    # the paper names such views as future work, and no distance: up to half a
    # second of 24 frames a second (?)
    frame_gap=1,
    max_gap=12,
    pipeline=[
        dict(
            type='mcjepa_mm.TransformEachFrame',
            transforms=[_base_.small_view_1, _base_.small_view_2],
        ),
        dict(type='mcjepa_mm.PackViews'),
    ],
)
train_dataloader = dict(content=dict(dataset=dict(dataset=frame_views)))
