# The second stage of the weights that the package has: flow for photographs.
# The decoder alone goes on, with the encoder of
# mcjepa_convnext-micro_1xb32-long_embedded.py as it is.
#   mim train mcjepa_mm mcjepa_convnext-micro_1xb4-flow_embedded.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = './mcjepa_convnext-micro_1xb32-long_embedded.py'
steps, batch = 1200, 4

model = dict(
    backbone=dict(frozen_stages=6),
    heads=dict(
        content=None,
        motion=dict(
            # What a coarse level says of surfaces without texture, the finer
            # ones do not mend in pictures of several hundred pixels
            # (docs/recipe.md).
            smooth_levels=(0.0, 0.5, 0.5, 0.25, 0.125, 0.0),
            rec_levels=(0.0, 0.0, 0.5, 0.5, 0.5, 0.0),
            losses=dict(
                _delete_=True,
                # the others are there for the encoder
                rec=_base_.model.heads.motion.losses.rec,
                smooth=_base_.model.heads.motion.losses.smooth,
                slow=dict(type='SlownessLoss', loss_weight=0.3),
            ),
        ),
    ),
)
pairs = _base_.train_dataloader.motion
pairs.dataset.update(length=steps * batch, seed=1)
train_dataloader = dict(_delete_=True, motion=pairs)
train_cfg = dict(max_epochs=1, val_interval=1)
val_dataloader = dict(content=None)
val_evaluator = dict(content=None)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
param_scheduler = dict(total_steps=steps, pct_start=0.05)
custom_hooks = [dict(type='MultiTaskHook', main_task='motion')]
default_hooks = dict(checkpoint=dict(interval=500, by_epoch=False))
