# The recipe of the weights that the package has: the default job for longer,
# on a world that is nearer to films. The camera moves up to 12 and objects up
# to 20 pixels a frame, some are camouflaged, some pairs are static, and frames
# have a camera's exposure, blur and noise.
_base_ = '../mcjepa_convnext.py'
epochs, iters_per_epoch = 15, 400

# Films have more surfaces without texture: 20 and 75 were as good after 1000
# steps of motion alone, 75 better on FlyingChairs and 20 on Sintel.
model = dict(heads=dict(motion=dict(losses=dict(smooth=dict(loss_weight=40)))))
train_dataloader = dict(
    content=dict(dataset=dict(length=iters_per_epoch * 32)),
    motion=dict(
        dataset=dict(
            length=epochs * iters_per_epoch * 4,
            camouflage=0.25,
            distractors=0.3,
            static=0.1,
            max_displacement=20.0,
            max_background=12.0,
            pipeline=[dict(type='RandomCameraPair')],
        )
    ),
)
train_cfg = dict(max_epochs=epochs)
param_scheduler = dict(total_steps=epochs * iters_per_epoch)
custom_hooks = _base_.custom_hooks
custom_hooks[1].update(begin=0.8 * epochs, length=0.2 * epochs)
custom_hooks[2].update(begin=0.4 * epochs, length=0.4 * epochs)
