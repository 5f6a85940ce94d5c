"""Options that would change nothing."""

from pathlib import Path

import pytest

from mcjepa_mm.engine.launch import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
JOB = str(CONFIGS / 'mcjepa_convnext.py')


@pytest.mark.parametrize(
    'option, said',
    [
        ('epochs=1', 'epochs is a variable of the config.*--epochs and'),
        ('content_batch=4', 'content_batch is a variable of the config'),
        (
            'train_dataloder.batch_size=4',
            'train_dataloder.batch_size is no setting.*train_dataloader is',
        ),
        ('qqq=1', 'qqq is no setting of a run and would change nothing. What'),
    ],
)
def test_what_no_runner_reads_is_refused(option, said):
    with pytest.raises(ValueError, match=said):
        load_config(JOB, cfg_options=['randomness.seed=1', option])


def test_what_a_runner_reads_is_taken():
    cfg = load_config(
        JOB,
        cfg_options=[
            'find_unused_parameters=True',
            'model_wrapper_cfg.type=MMDistributedDataParallel',
            'train_dataloader.content.batch_size=4',
            'custom_hooks.0.strategy=alternate_epochs',
        ],
    )
    assert cfg.find_unused_parameters
    assert cfg.train_dataloader.content.batch_size == 4
