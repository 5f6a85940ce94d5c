"""A stream of training data: its position, its end, its workers."""

import multiprocessing
import os
import signal
import subprocess
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toy_pretraining  # noqa: F401  spawned workers find it, not this
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch.utils.data import Dataset, IterableDataset

from mcjepa_mm.datasets import BadSampleGuard
from mcjepa_mm.datasets.packing import pack_folder
from mcjepa_mm.engine.task_stream import TaskStream
from mcjepa_mm.registry import DATASETS
from mcjepa_mm.utils.image_file import write_image

TOYS = Path(__file__).resolve().parents[1] / 'toys'


@DATASETS.register_module()
class Places(Dataset):
    """A sample is its index and a random number."""

    def __init__(self, length=10):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return int(index), torch.rand(()).item()


def stream(
    batch_size=2, seed=7, length=10, dataset='mcjepa_mm.Places', **loader
):
    runner = SimpleNamespace(
        seed=seed, build_dataloader=Runner.build_dataloader
    )
    config = dict(
        batch_size=batch_size,
        dataset=dataset
        if isinstance(dataset, dict)
        else dict(type=dataset, length=length),
        collate_fn=dict(type='pseudo_collate'),
        **{'sampler': dict(type='DefaultSampler', shuffle=True), **loader},
    )
    return TaskStream('motion', config, runner)


@pytest.fixture
def warnings(caplog):
    """Function that returns what mmengine's logger has warned of."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [x.message for x in caplog.records if x.levelno >= 30]
    logger.removeHandler(caplog.handler)


@DATASETS.register_module()
class PairPlaces(Places):
    """Pairs of a video, in the order of its frames."""

    def get_data_info(self, index):
        return dict(frame_indices=(index, index + 1))


def samples(batches):
    """Index and number of each sample, in order."""
    return [
        (index, number)
        for indices, numbers in batches
        for index, number in zip(indices, numbers)
    ]


def test_it_has_no_end_and_shuffles_every_pass():
    drawn = samples(islice(stream().endless(), 15))
    passes = [drawn[i : i + 10] for i in (0, 10, 20)]
    for each in passes:
        assert sorted(index for index, _ in each) == list(range(10))
    assert len({number for _, number in drawn}) == 30
    assert len({tuple(i for i, _ in x) for x in passes}) == 3


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('given', [0, 3, 5, 7])
def test_it_goes_on_from_its_position(given, workers):
    options = dict(num_workers=workers, persistent_workers=workers > 0)
    expected = samples(islice(stream().endless(), 12))
    # workers have read ahead of what was given
    first = stream(**options)
    assert samples(islice(first.endless(), given)) == expected[: 2 * given]
    state = first.state_dict()
    assert (state['epoch'], state['batches']) == {
        0: (0, 0),
        3: (0, 3),
        5: (0, 5),
        7: (1, 2),
    }[given]
    second = stream(seed=1, **options)  # a resumed run has the saved seed
    second.load_state_dict(state)
    rest = samples(islice(second.endless(), 12 - given))
    assert rest == expected[2 * given :]
    assert second.state_dict() == stream().state_dict() | dict(
        epoch=2, batches=2
    )


@pytest.mark.parametrize('size, batches, at', [(1, 6, 6), (4, 1, 4)])
def test_another_batch_size_goes_on_nearby(size, batches, at, warnings):
    first = stream(batch_size=2)
    expected = samples(islice(first.endless(), 5))
    first.epoch, first.batches = 0, 3
    second = stream(batch_size=size)
    second.load_state_dict(first.state_dict())
    (warning,) = warnings()
    assert "2 samples of 'motion' in a batch" in warning
    assert f'now there are {size}: ' in warning
    assert second.batches == batches
    assert samples(x for _, x in second.rest_of_epoch()) == expected[at:]


def test_the_same_batch_size_warns_of_nothing(warnings):
    stream().load_state_dict(stream().state_dict())
    assert not warnings()


@pytest.mark.parametrize('persistent', [True, False])
def test_closed_it_has_no_workers_and_goes_on(persistent):
    expected = samples(islice(stream().endless(), 7))
    pairs = stream(num_workers=2, persistent_workers=persistent)
    given = samples(islice(pairs.endless(), 3))
    assert len(multiprocessing.active_children()) == 2
    pairs.close()
    assert not multiprocessing.active_children()
    pairs.close()
    assert given + samples(islice(pairs.endless(), 4)) == expected
    pairs.close()


def test_without_workers_there_is_nothing_to_end():
    numbers = stream()
    numbers.close()
    next(numbers.endless())
    numbers.close()
    assert numbers.batches == 1


def test_without_a_batch_it_says_so():
    with pytest.raises(
        ValueError,
        match="'motion' gives no batch: .* has 3 samples, a batch takes 4 ",
    ):
        stream(batch_size=4, length=3, drop_last=True)
    assert len(stream(batch_size=4, length=3)) == 1


def test_a_batch_sampler_is_refused():
    dataloader = dict(batch_sampler=dict(type='GroupedBatches'))
    with pytest.raises(TypeError, match='batch_sampler, whose place'):
        TaskStream('images', dataloader, None)


def test_a_dataloader_that_is_built_is_refused():
    with pytest.raises(TypeError, match="'motion' must be a config"):
        TaskStream('motion', stream().loader, None)


@DATASETS.register_module()
class EndlessPlaces(IterableDataset):
    """A stream without a length, or with one."""

    def __init__(self, length=None):
        self.length = length

    def __iter__(self):
        return iter(range(10))


@DATASETS.register_module()
class CountedPlaces(EndlessPlaces):
    def __len__(self):
        return self.length


@pytest.mark.parametrize('name', ['EndlessPlaces', 'CountedPlaces'])
def test_an_iterable_data_set_is_refused(name):
    dataset = f'mcjepa_mm.{name}'
    with pytest.raises(TypeError, match=f'{name} is iterable.* pack') as found:
        stream(dataset=dataset)
    assert '\n' not in str(found.value)
    with pytest.raises(TypeError, match=f'{name} is iterable'):
        BadSampleGuard(dict(type=dataset))


@pytest.mark.parametrize(
    ('data_set', 'pipeline'),
    [
        ('UnlabelledImages', [dict(type='mcjepa_mm.LoadImageStrict')]),
        ('FramePairs', [dict(type='mcjepa_mm.RandomFlipPair')]),
    ],
)
def test_packed_data_resume_as_those_of_the_folder(
    tmp_path, data_set, pipeline
):
    for i in range(9):
        picture = np.random.default_rng(i).integers(0, 256, (64, 80, 3))
        write_image(tmp_path / 'plain' / f'{i}.png', picture.astype(np.uint8))
    pack_folder(tmp_path / 'plain', tmp_path / 'packed')

    def make(folder, **options):
        root = str(tmp_path / folder)
        dataset = f'mcjepa_mm.{data_set}'
        dataset = dict(type=dataset, data_root=root, pipeline=pipeline)
        return stream(dataset=dataset, num_workers=1, **options)

    def pixels(batches):
        return [np.array(batch['img']) for batch in batches]

    expected = pixels(islice(make('plain').endless(), 9))
    first = make('packed')
    found = pixels(islice(first.endless(), 3))
    second = make('packed', seed=1)
    second.load_state_dict(first.state_dict())
    found += pixels(islice(second.endless(), 6))
    assert len(expected) == len(found) == 9
    assert all(np.array_equal(a, b) for a, b in zip(expected, found))
    assert not np.array_equal(expected[0], expected[4])


@pytest.fixture(params=['fork', 'spawn'])
def method(request, monkeypatch):
    """How workers are started; numpy starts threads in spawned ones."""
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setenv('OPENBLAS_NUM_THREADS', '4')
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(request.param, force=True)
    yield request.param
    multiprocessing.set_start_method(before, force=True)


PAIRS = dict(dataset='mcjepa_mm.ToyPairs', num_workers=1, prefetch_factor=1)


@pytest.mark.slow
def test_workers_end_with_their_main_process_only(method):
    pairs = stream(**PAIRS, batch_size=1, persistent_workers=True)
    batches = pairs.endless()
    next(batches)
    (worker,) = multiprocessing.active_children()
    for name in ('TERM', 'INT') * 10:
        # by another process
        subprocess.run(['kill', f'-{name}', str(worker.pid)], check=True)
        next(batches)
    assert worker.is_alive()
    os.kill(worker.pid, signal.SIGTERM)
    worker.join(60)
    assert worker.exitcode == 0


MAIN = """
import multiprocessing, os, signal, sys
sys.path[:0] = {paths}
if __name__ == '__main__':
    multiprocessing.set_start_method(sys.argv[1])
    from test_task_stream import PAIRS, stream
    batches = stream(**PAIRS).endless()
    next(batches)
    (worker,) = multiprocessing.active_children()
    print(worker.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_workers_do_not_outlive_their_main_process(run, tmp_path, method):
    script = tmp_path / 'main.py'
    paths = [str(Path(__file__).parent), str(TOYS)]
    script.write_text(MAIN.format(paths=paths))
    # it returns when the last process that could write has ended
    done = run('python', script, method)
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0


def share(rank, folder):
    """A pass of one of two processes whose runners' seeds differ."""
    half = stream(seed=7 + rank, batch_size=1)
    given = samples(islice(half.endless(), 5))
    return dict(samples=given, state=half.state_dict())


@pytest.mark.slow
def test_processes_with_seeds_of_their_own_share_a_pass(
    two_processes, tmp_path
):
    shares = two_processes(__file__, tmp_path)
    mixed = [
        tuple(x)
        for pair in zip(*(share['samples'] for share in shares))
        for x in pair
    ]
    one = stream(seed=7)
    assert mixed == samples(islice(one.endless(), 5))
    # a checkpoint of two processes resumes in one, at the same sample
    assert [x['state'] for x in shares] == [one.state_dict()] * 2


def test_a_worker_reads_on_from_places_of_its_own_and_resumes():
    def places(workers):
        return stream(
            dataset='mcjepa_mm.PairPlaces',
            length=200,
            num_workers=workers,
            sampler=dict(
                type='mcjepa_mm.FixedLengthSampler', pairs_per_seek=8
            ),
        )

    whole = places(2)
    batches = list(islice(whole.endless(), 150))
    expected = samples(batches)
    found = [[int(i) for i in indices] for indices, _ in batches[:100]]
    # each worker gets every second batch
    pairs = [(a, b) for a, b in zip(found, found[2:])]
    goes_on = [y == x + 2 for a, b in pairs for x, y in zip(a, b)]
    assert sum(goes_on) > 0.8 * len(goes_on)
    assert sorted(sum(found, [])) == list(range(200))
    whole.close()

    resumed = places(0)  # another number of workers, in the second pass
    state = dict(whole.state_dict(), epoch=1, batches=20)
    resumed.load_state_dict(state)
    assert samples(islice(resumed.endless(), 30)) == expected[240:]
