"""What a run says of tasks and terms from which nothing is learnt."""

from itertools import count
from pathlib import Path

import pytest

from mcjepa_mm.engine.hooks import IdleTaskHook
from mcjepa_mm.engine.launch import build_runner, load_config

TOYS = Path(__file__).parents[2] / 'toys'
numbers = count()  # mmengine wants a new name for each run of a process


@pytest.fixture
def warnings(tmp_path):
    """Function of settings: train an epoch, return the hook's warnings."""

    def warnings(*options, change=lambda model: None):
        cfg = load_config(
            str(TOYS / 'short_pretraining.py'),
            work_dir=str(tmp_path),
            cfg_options=[
                f'custom_hooks.2.path={tmp_path / "losses.jsonl"}',
                f'experiment_name=idle {next(numbers)}',
                'train_cfg.max_epochs=1',
                'custom_hooks.0.begin.motion=0',
                'default_hooks.idle_tasks.interval=3',
                *options,
            ],
        )
        cfg.default_hooks.checkpoint = None
        cfg.visualizer.vis_backends = []
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
        runner = build_runner(cfg)
        change(runner.model)
        runner.train()
        log = ''.join(x.read_text() for x in tmp_path.glob('*/*.log'))
        words = ('Task ', 'The loss term', 'of the pixels')
        return [
            line.partition('WARNING - ')[2]
            for line in log.splitlines()
            if 'WARNING - ' in line and any(x in line for x in words)
        ]

    return warnings


def test_nothing_is_said_of_the_default(warnings):
    assert warnings() == []


@pytest.mark.parametrize(
    'option, said',
    [
        (
            'model.heads.motion.loss_weight=0',
            ["Task 'motion' learns nothing: model.heads.motion.loss_weight"],
        ),
        (
            'model.heads.motion.losses.rec.loss_weight=0',
            [
                "The loss term 'motion.rec' has been exactly 0 for 3 "
                'steps: look at model.heads.motion.losses.rec.loss_weight'
            ],
        ),
        (
            'model.heads.content.vicreg.covariance=0',
            [
                "The loss term 'content.covariance' has been exactly 0 for 3 "
                'steps: look at model.heads.content.vicreg.covariance'
            ],
        ),
        (
            'custom_hooks.0.begin.motion=5',
            [
                "Task 'motion' is never trained: it begins after 5 iterations "
                'and the run ends after 5. Lower begin.motion of '
            ],
        ),
        # a ramp that has not begun is what was asked for
        (
            'custom_hooks.1.target=heads.motion.losses.vc.loss_weight '
            'model.heads.motion.occlusion_weight=0',
            [],
        ),
        ('custom_hooks.1.target=heads.motion.loss_weight', []),
    ],
)
def test_the_setting_is_named(warnings, option, said):
    found = warnings(*option.split())
    assert len(found) == len(said), found
    assert all(x.startswith(y) for x, y in zip(found, said)), found


def test_a_head_without_gradient(warnings):
    def freeze(model):
        model.heads.content.expander.requires_grad_(False)

    (said,) = warnings(change=freeze)
    assert said.startswith("Task 'content' learns nothing: no weight of it")


def test_all_pixels_occluded(warnings):
    """Flows of a hundred pixels in images of 128 end outside of them."""
    (said,) = warnings(
        'model.heads.motion.decoder.unit=1e6',
        'custom_hooks.1.begin=0',
        'custom_hooks.1.length=0',
    )
    assert 'Lower model.heads.motion.occlusion_weight (now 1)' in said


def test_interval():
    with pytest.raises(ValueError, match='interval must be 1 or more, got 0'):
        IdleTaskHook(interval=0)
