"""The arms of evidence.py and the world that they are compared on."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).resolve().parents[2] / 'configs/mcjepa_convnext.py'
SPLITS = dict(tune='val', main='test')
STEPS = 100  # of an epoch
PAIRS = 4  # of a step
WORLD: dict[str, Any] = dict(
    camouflage=0.5,
    distractors=0.3,
    static=0.15,
    # content alone learns no class of images with the law of scenes
    scene_law=False,
    max_displacement=20.0,
    max_background=12.0,
)


@dataclass(frozen=True)
class Arm:
    """What is trained.

    Attributes:
        tasks (tuple[str, ...]): Of 'content', 'motion' and 'dense'.
        options (dict): Of the config, dotted.
        epochs (float): Length in those of the others.
        pairs (dict): Arguments of the data set of pairs.
        encoder (str): Arm whose encoder of the same seed it starts from,
            frozen.
    """

    tasks: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    epochs: float = 1.0
    pairs: dict[str, Any] = field(default_factory=dict)
    encoder: str = ''


def dense(weight: float, **settings: Any) -> dict[str, Any]:
    """The dense task's config."""
    return dict(
        type='mcjepa_mm.DenseVICReg',
        loss_weight=weight,
        vicreg=dict(type='mcjepa_mm.VICRegLoss', invariance=6.0),
        **settings,
    )


def joint_dense(weight: float, **settings: Any) -> dict[str, Any]:
    """Options that add the dense term to the motion task."""
    return {'model.heads.motion.losses.dense': dense(weight, **settings)}


def rate(lr: float) -> dict[str, Any]:
    """Options of a learning rate."""
    return {
        'optim_wrapper.optimizer.lr': lr,
        'param_scheduler.eta_max': lr,
    }


CONTENT, BOTH = ('content',), ('content', 'motion')
CONTENT_WEIGHT = 'model.heads.content.loss_weight'

# Two settings of each; the first is the default job's, or the smaller one.
CANDIDATES = {
    'motion': [Arm(('motion',), rate(lr)) for lr in (1e-3, 2e-3)],
    'content': [Arm(CONTENT, rate(lr)) for lr in (1e-3, 2e-3)],
    'dense': [
        Arm(
            ('content', 'dense'),
            {'model.heads.dense': dict(dense=dense(weight))},
        )
        for weight in (0.03, 0.1)
    ],
    'joint': [Arm(BOTH, {CONTENT_WEIGHT: weight}) for weight in (0.1, 0.2)],
    'joint-dense-stills': [
        Arm(BOTH, joint_dense(weight, by_flow=False)) for weight in (0.03, 0.1)
    ],
    'joint-dense-flow': [
        Arm(BOTH, joint_dense(weight)) for weight in (0.03, 0.1)
    ],
}
# Which of the two, and how many of its own epochs take joint's CPU time:
# chosen on the seeds of the stage tune.
CHOSEN: dict[str, int] = {
    'motion': 1,
    'content': 0,
    'dense': 0,
    'joint': 1,
    'joint-dense-stills': 1,
    'joint-dense-flow': 1,
}
EPOCHS_AT_EQUAL_TIME: dict[str, float] = {'content': 3.74, 'dense': 2.69}


def arms_of(stage: str) -> dict[str, Arm | None]:
    """The arms of a stage by name; None trains nothing."""
    if stage == 'tune':
        return {
            f'{name}.{number}': arm
            for number in (0, 1)
            for name, arms in CANDIDATES.items()
            for arm in arms[number : number + 1]
        }
    if CHOSEN.keys() != CANDIDATES.keys():
        raise ValueError('the settings have not been chosen yet: run tune')
    arms = {name: CANDIDATES[name][k] for name, k in CHOSEN.items()}
    joint, by_flow = arms['joint'], arms['joint-dense-flow']
    weight = by_flow.options['model.heads.motion.losses.dense']['loss_weight']
    shuffled = joint_dense(weight)
    shuffled['model.heads.motion.losses.dense']['type'] = (
        'mcjepa_mm.ShuffledDenseVICReg'
    )
    no_vc = {'model.heads.motion.losses.vc.loss_weight': 0.0}
    alternate = {'custom_hooks.0.strategy': 'alternate_batches'}
    return {
        'random': None,
        'colors': None,
        **arms,
        **{
            f'{name}-long': Arm(arms[name].tasks, arms[name].options, factor)
            for name, factor in EPOCHS_AT_EQUAL_TIME.items()
        },
        'joint-shifted-stills': Arm(
            BOTH, joint.options, pairs=dict(static=1.0)
        ),
        'joint-dense-shuffled': Arm(BOTH, shuffled),
        'joint-without-vc': Arm(BOTH, {**joint.options, **no_vc}),
        'motion-on-frozen-content': Arm(
            ('motion',), arms['motion'].options, encoder='content'
        ),
        # each task as many steps as jointly
        'joint-alternate': Arm(BOTH, {**joint.options, **alternate}, 2.0),
    }


def job(
    arm: Arm | None,
    *,
    seed: int,
    stage: str,
    epochs: int,
    scale: float = 1.0,
    encoder: str = '',
):
    """The config of an arm.

    Args:
        arm (Arm, optional): None for the joint model, not trained.
        seed (int): Of weights, order and augmentation.
        stage (str): Which scenes are measured, see SPLITS.
        epochs (int): Of 100 steps.
        scale (float): Of the number of samples that are measured.
        encoder (str): Checkpoint, for an arm that starts from one.

    Returns:
        Config: Ready for ``build_runner``; it is not validated in training.
    """
    from mcjepa_mm.engine.job_length import set_job_length
    from mcjepa_mm.engine.launch import load_config

    cfg = load_config(str(CONFIG))
    # which the model did not have when the record's arms were measured
    cfg.model.heads.motion.decoder.propagation = ()
    trained = arm or Arm(BOTH)
    epochs = -int(-epochs * trained.epochs // 1)  # whole ones, rounded up
    train = cfg.train_dataloader
    train.content.dataset.update(WORLD)
    train.motion.dataset.update(WORLD | trained.pairs)
    if 'dense' in trained.tasks:
        train.dense = deepcopy(train.motion)
        cfg.model.heads.dense = dict(type='DenseVICRegHead', num_views=2)
        prepare = cfg.model.data_preprocessor.tasks
        prepare.dense = deepcopy(prepare.motion)
    cfg.merge_from_dict(deepcopy(trained.options))
    for task in ('content', 'motion'):
        if task not in trained.tasks:
            for part in (
                cfg.model.heads,
                train,
                cfg.val_dataloader,
                cfg.val_evaluator,
            ):
                part[task] = None
    main, *motion_hooks = [
        hook
        for hook in cfg.custom_hooks
        if hook.type in ('MultiTaskHook', 'ScheduleHook')
    ]
    main.main_task = trained.tasks[0]
    cfg.custom_hooks = [main]
    if 'motion' in trained.tasks:
        cfg.custom_hooks += motion_hooks
    if 'content' in trained.tasks:
        set_job_length(cfg, epochs=epochs)
    else:
        # in one epoch, so that no pair comes twice, as in the other arms
        train.motion.dataset.length = epochs * STEPS * PAIRS
        set_job_length(cfg, epochs=1)
        cfg.param_scheduler.total_steps = epochs * STEPS
    if trained.encoder:
        cfg.model.backbone.update(
            frozen_stages=6,
            init_cfg=dict(
                type='Pretrained', checkpoint=encoder, prefix='backbone.'
            ),
        )
    _measured(cfg, stage, scale)
    for loader in (*train.values(), *cfg.val_dataloader.values()):
        if loader:
            loader.num_workers = 0  # all of the CPU time in one process
    cfg.train_cfg.val_begin = cfg.train_cfg.max_epochs + 1
    cfg.default_hooks.checkpoint.update(
        by_epoch=False, interval=25, max_keep_ckpts=1
    )
    cfg.randomness = dict(seed=seed)
    return cfg


def _measured(cfg, stage: str, scale: float) -> None:
    """Set what is validated: other scenes than those that are trained on."""
    for task, count, world in (
        ('motion', 200, WORLD),
        # of a camouflaged object alone nothing is to be seen
        ('content', 1000, dict(WORLD, camouflage=0.0)),
        ('propagation', 40, dict(WORLD, static=0.0)),
    ):
        if loader := cfg.val_dataloader.get(task):
            loader.dataset.update(
                world, split=SPLITS[stage], length=max(4, round(count * scale))
            )
            loader.batch_size = min(loader.batch_size, loader.dataset.length)
    if cfg.val_evaluator.get('content') and scale < 1:
        cfg.val_evaluator.content.k = 1
    cfg.model.heads.propagation.update(whiten='first_frame')
    for key in ('dataloader', 'evaluator', 'cfg'):
        cfg[f'test_{key}'] = None
