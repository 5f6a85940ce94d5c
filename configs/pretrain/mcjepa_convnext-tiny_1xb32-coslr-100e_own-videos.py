# MC-JEPA on your own videos alone, one GPU:
# mcjepa_convnext-tiny_1xb32-coslr-100e_own-data.py, but the two views of
# content are of two frames of a clip. An epoch is one pass over the frames.
#
#   MCJEPA_VIDEOS=/path/to/videos \
#       mim train mcjepa_mm \
#       mcjepa_convnext-tiny_1xb32-coslr-100e_own-videos.py
_base_ = './mcjepa_convnext-tiny_1xb32-coslr-100e_own-data.py'

pairs = _base_.motion_train_dataloader.dataset.dataset
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
            transforms=[_base_.view_1, _base_.view_2],
        ),
        dict(type='mcjepa_mm.PackViews'),
    ],
)
train_dataloader = dict(content=dict(dataset=dict(dataset=frame_views)))
