"""The bank of features: of one process and of two, whole and in order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.engine import FeatureBankHook
from mcjepa_mm.engine.launch import build_runner, load_config

REPO = Path(__file__).parents[3]
CONFIG = REPO / 'configs/classification/mcjepa_convnext-micro_knn_embedded.py'
NUM = 23  # odd: two processes cannot share it equally


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'imagenet'
    export('imagenet', root, num_scenes=NUM, size=(64, 64))
    return root


def config(data, work_dir, launcher='none'):
    cfg = load_config(
        str(CONFIG), work_dir=str(work_dir), launcher=str(launcher)
    )
    cfg.model.backbone.arch = dict(
        depths=(1, 1, 1, 1), channels=(8, 16, 24, 32)
    )
    cfg.model.head.k = 3
    bank = cfg.custom_hooks[0].dataloader
    for loader in (bank, cfg.test_dataloader):
        loader.dataset.data_root = str(data)
        loader.batch_size, loader.num_workers = 5, 0
        loader.persistent_workers = False
    cfg.experiment_name = f'{Path(work_dir).name}_{launcher}'
    cfg.randomness = dict(seed=0)
    return cfg


def evaluate(runner):
    """Test, and return what is in the bank and what came out."""
    torch.manual_seed(0)  # of the untrained weights
    model = getattr(runner.model, 'module', runner.model)
    model.init_weights()
    result = runner.test()
    head = model.head
    return dict(
        bank=head.bank, labels=head.bank_labels, top1=result['accuracy/top1']
    )


@pytest.mark.slow
def test_the_bank_is_the_train_set_in_order(data, tmp_path):
    cfg = config(data, tmp_path)
    # The order in which the pictures come must not matter.
    cfg.custom_hooks[0].dataloader.sampler.shuffle = True
    runner = build_runner(cfg)
    found = evaluate(runner)
    (hook,) = (h for h in runner.hooks if isinstance(h, FeatureBankHook))
    dataset = hook._loader.dataset
    inputs = torch.stack([dataset[i]['inputs'] for i in range(NUM)])
    model = runner.model
    with torch.no_grad():
        data = model.data_preprocessor(dict(inputs=inputs))
        feats = model.extract_feat(data['inputs'])[0]
    expected = feats / feats.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found['bank'], expected)
    labels = [dataset.get_data_info(i)['gt_label'] for i in range(NUM)]
    assert found['labels'].tolist() == labels
    assert not model.training


def test_a_bank_with_gaps_is_refused(data, tmp_path):
    cfg = config(data, tmp_path)
    cfg.custom_hooks[0].dataloader.drop_last = True
    with pytest.raises(ValueError, match='only 20 of the 23 .* drop_last'):
        evaluate(build_runner(cfg))


def test_samples_without_a_number_are_refused(data, tmp_path):
    cfg = config(data, tmp_path)
    pack = cfg.custom_hooks[0].dataloader.dataset.pipeline[-1]
    pack.meta_keys = ('img_path',)
    with pytest.raises(KeyError, match='no sample_idx.*PackInputs'):
        evaluate(build_runner(cfg))


def test_another_head_is_refused(data, tmp_path):
    cfg = config(data, tmp_path)
    cfg.model.head = dict(type='LinearClsHead', num_classes=10, in_channels=32)
    with pytest.raises(TypeError, match='head of this model is a LinearCls'):
        evaluate(build_runner(cfg))


@pytest.mark.slow
def test_two_processes_have_the_bank_of_one(
    data, tmp_path, free_port, wait_for
):
    words = [sys.executable, __file__, str(data), str(tmp_path)]
    processes = [
        subprocess.Popen(
            words,
            env=dict(
                os.environ,
                PYTHONPATH=str(REPO),
                CUDA_VISIBLE_DEVICES='',
                OMP_NUM_THREADS='1',
                MASTER_ADDR='localhost',
                MASTER_PORT=free_port,
                WORLD_SIZE='2',
                RANK=str(rank),
                LOCAL_RANK=str(rank),
            ),
        )
        for rank in (0, 1)
    ]
    assert wait_for(processes) == [0, 0]
    alone = evaluate(build_runner(config(data, tmp_path / 'alone')))
    for rank in (0, 1):
        found = torch.load(tmp_path / f'{rank}.pth')
        assert torch.equal(found['labels'], alone['labels'])
        # Other batches, so other roundings.
        torch.testing.assert_close(found['bank'], alone['bank'])
        assert found['top1'] == pytest.approx(alone['top1'])


if __name__ == '__main__':
    folder = Path(sys.argv[2])
    rank = os.environ['RANK']
    cfg = config(sys.argv[1], folder / f'work_{rank}', 'pytorch')
    torch.save(evaluate(build_runner(cfg)), folder / f'{rank}.pth')
    torch.distributed.destroy_process_group()
