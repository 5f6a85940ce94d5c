"""A training that was broken off goes on as if it had not been."""

import pytest

pytestmark = pytest.mark.slow


def check_equal(unbroken, broken, folder):
    from loss_record import assert_equal_state, newest

    # some iterations, at least, were computed twice
    assert sum(map(len, broken.values())) > len(unbroken) == 15
    for step, losses in unbroken.items():
        assert broken[step] == losses * len(broken[step])
    assert_equal_state(newest(folder / 'unbroken'), newest(folder / 'broken'))


@pytest.mark.parametrize(
    'option',
    [
        'custom_hooks.0.strategy=combined',
        'custom_hooks.0.strategy=alternate_batches',
        'custom_hooks.0.strategy=alternate_epochs',
        'optim_wrapper.accumulative_counts=3',
    ],
)
def test_resumed_run_is_the_unbroken_one(train, tmp_path, option):
    unbroken = train('unbroken', option)
    train('broken', option, break_after=3)
    train('broken', option, break_after=9, resume=True)
    broken = train('broken', option, resume=True)
    check_equal(unbroken, broken, tmp_path)


def test_resumed_run_takes_the_seed_that_was_drawn(train, tmp_path):
    from loss_record import newest

    # without workers nor a sampler of the run's own seed
    drawn = ('randomness.seed=None', 'train_dataloader.content.num_workers=0')
    train('broken', *drawn, break_after=3)
    seed = newest(tmp_path / 'broken')['meta']['seed']
    unbroken = train('unbroken', f'randomness.seed={seed}')
    broken = train('broken', 'randomness.seed=None', resume=True)
    check_equal(unbroken, broken, tmp_path)


def test_resumed_distillation(train, tmp_path):
    """The teacher is in no checkpoint and is read again."""
    import torch
    from loss_record import newest

    from mcjepa_mm.models.backbones import MCJEPAConvNeXt

    arch = dict(depths=(1, 1, 1, 1), channels=(8, 8, 16, 16))
    teacher = MCJEPAConvNeXt(arch=arch)
    torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
    option = (
        'model.heads.distill.teacher.init_cfg.checkpoint='
        f'{tmp_path / "teacher.pth"}'
    )
    config = 'short_distillation.py'
    unbroken = train('unbroken', option, config=config)
    train('broken', option, config=config, break_after=7)
    broken = train('broken', option, config=config, resume=True)
    check_equal(unbroken, broken, tmp_path)
    weights = newest(tmp_path / 'broken')['state_dict']
    of_head = {key for key in weights if 'distill' in key}
    assert of_head == {
        f'heads.distill.projections.{i}.{name}'
        for i in range(2)
        for name in ('weight', 'bias')
    }
