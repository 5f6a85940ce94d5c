# AdamW with a linear warm-up and a polynomial decay, for 8 GPUs with 2
# pictures each: mmsegmentation's fine-tuning of ConvNeXt. In the linear
# protocol of VICRegL's code the decay begins with the warm-up: the linear
# configs say so.
_base_ = 'mmseg::_base_/schedules/schedule_40k.py'

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05
    ),
)
warm_up = dict(
    type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500
)
poly = dict(
    type='PolyLR',
    power=1.0,
    eta_min=0.0,
    by_epoch=False,
    begin=1500,
    end=40000,
)
param_scheduler = [warm_up, poly]
