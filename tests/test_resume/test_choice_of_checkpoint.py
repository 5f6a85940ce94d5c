"""What --resume takes when not every file in the work dir can be taken."""

import os
import pickle
import random
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from loss_record import assert_equal_state, newest, read_losses
from pickled_call import Call
from toy_job import job, log

from mcjepa_mm.engine.resume import examine


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A run that was not broken off, and all of its checkpoints."""
    folder = tmp_path_factory.mktemp('resume') / 'whole'
    job(folder, checkpoint=dict(max_keep_ckpts=-1)).train()
    return folder


@pytest.fixture
def broken(whole, tmp_path):
    """The same run, killed in its seventh step."""
    folder = tmp_path / 'broken'
    shutil.copytree(whole, folder)
    (folder / 'iter_8.pth').unlink()
    (folder / 'losses.jsonl').unlink()
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_6.pth'))
    return folder


def check_resumed(folder, whole, at):
    """It went on after this many steps, and ended as the whole run."""
    expected = read_losses(whole / 'losses.jsonl')
    record = read_losses(folder / 'losses.jsonl')
    assert record == {k: v for k, v in expected.items() if k[1] >= at}
    assert_equal_state(newest(whole), newest(folder))


def replace(path, content):
    """Another content; it is still the newest file."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)


def flip(data, position):
    return (
        data[:position] + bytes([data[position] ^ 16]) + data[position + 1 :]
    )


def flipped_weight(path):
    """A byte of the largest tensor, which any value would suit."""
    with zipfile.ZipFile(path) as archive:
        tensors = [x for x in archive.infolist() if '/data/' in x.filename]
        entry = max(tensors, key=lambda x: x.file_size)
        stored = archive.read(entry)
    data = path.read_bytes()
    return flip(data, data.index(stored) + len(stored) // 2)


def marked_as_folder(path):
    """A bit of a tensor's attributes in the list at the end of the file."""
    with zipfile.ZipFile(path) as archive:
        names = [x for x in archive.namelist() if x.endswith('/data/0')]
    data = path.read_bytes()
    return flip(data, data.rindex(names[0].encode()) - 8)


def without(content, *keys):
    return {k: v for k, v in content.items() if k not in keys}


def other_model(content):
    weights = content['state_dict']
    odd = {'heads.motion.weight': torch.zeros(3, 16, 1, 1)}
    return dict(content, state_dict=weights | odd)


PAYLOAD = Call(os.mkdir, 'payload')
CHECKSUM = 'damaged: .* has not its checksum'
UNREADABLE = 'no checkpoint that can be loaded'
FOREIGN = 'not the state of a training'
OTHER = 'of another model: heads.motion.weight differs'
# What the newest file holds instead, of the path and of its content, and
# what the warning says of it.
FAULTS = {
    'empty': (lambda p, c: b'', UNREADABLE),
    'half': (lambda p, c: p.read_bytes()[:9000], UNREADABLE),
    'zeroed': (lambda p, c: bytes(p.stat().st_size), UNREADABLE),
    'flipped': (lambda p, c: flipped_weight(p), CHECKSUM),
    'marked': (lambda p, c: marked_as_folder(p), 'is marked as a folder'),
    'list': (lambda p, c: [1, 2], FOREIGN),
    'published': (
        lambda p, c: without(c, 'optimizer', 'message_hub'),
        FOREIGN,
    ),
    'other shape': (lambda p, c: other_model(c), OTHER),
    'other names': (
        lambda p, c: dict(c, state_dict={'heads.motion.weight': 1}),
        'of another model',
    ),
    'no weights': (lambda p, c: dict(c, state_dict=[]), 'of another model'),
    'payload': (lambda p, c: dict(c, meta=PAYLOAD), UNREADABLE),
    'pickled payload': (lambda p, c: pickle.dumps(PAYLOAD), UNREADABLE),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_the_one_before_is_taken(broken, whole, fault, monkeypatch):
    monkeypatch.chdir(broken)  # where the payload would leave its mark
    make, reason = FAULTS[fault]
    path = broken / 'iter_6.pth'
    replace(path, make(path, torch.load(path, weights_only=True)))
    job(broken, resume=True, checkpoint=dict(max_keep_ckpts=-1)).train()
    check_resumed(broken, whole, at=4)
    warnings = re.findall('WARNING - Passed over: .*', log(broken))
    assert len(warnings) == 1
    assert re.search(f'{path} .*{reason}', warnings[0])
    assert not (broken / 'payload').exists()


def test_a_folder_is_no_checkpoint(broken, whole):
    (broken / 'newest.pth').mkdir()
    job(broken, resume=True).train()
    check_resumed(broken, whole, at=6)
    assert f'Passed over: {broken}/newest.pth' in log(broken)


def test_no_flipped_byte_is_overlooked(broken):
    """It is found, or was where it changes nothing."""
    path = broken / 'iter_6.pth'
    data = path.read_bytes()
    content = torch.load(path, weights_only=True)
    rng, found = random.Random(0), 0
    for _ in range(150):
        path.write_bytes(flip(data, rng.randrange(len(data))))
        if examine(path, content['state_dict'])[0]:
            found += 1
        else:
            assert_equal_state(torch.load(path, weights_only=True), content)
    assert found > 50


@pytest.mark.parametrize('resume', [True, 'iter_4.pth'])
def test_none_that_can_be_taken_is_an_error(broken, resume):
    for path in broken.glob('*.pth'):
        modified = path.stat().st_mtime_ns
        path.write_bytes(path.read_bytes()[:5000])
        os.utime(path, ns=(modified, modified))
    before = {x.name: x.read_bytes() for x in broken.glob('*.pth')}
    path = broken / ('iter_6.pth' if resume is True else resume)
    runner = job(broken, resume=True if resume is True else path)
    with pytest.raises(ValueError) as error:
        runner.train()
    count = 3 if resume is True else 1
    assert f'No checkpoint can be resumed, of {count}: {path} ' in str(
        error.value
    )
    assert 'Give --resume another' in str(error.value)
    assert {x.name: x.read_bytes() for x in broken.glob('*.pth')} == before
    assert not (broken / 'losses.jsonl').exists()


def test_a_named_checkpoint_is_the_only_one(broken, whole):
    path = broken / 'iter_2.pth'
    job(broken, resume=path).train()
    check_resumed(broken, whole, at=2)
    runner = job(broken, resume=broken / 'gone.pth')
    with pytest.raises(ValueError, match='of 1: .*gone.pth .*No such file'):
        runner.train()


def test_without_any_the_training_begins(tmp_path, whole):
    job(tmp_path, resume=True).train()
    check_resumed(tmp_path, whole, at=0)
    assert 'has no checkpoint: the training begins' in log(tmp_path)


@pytest.mark.parametrize('last', [None, '', '\n', 'iter_99.pth', '/no/x.pth'])
def test_last_checkpoint_may_name_none(broken, whole, last, monkeypatch):
    (broken / 'last_checkpoint').unlink()
    if last is not None:
        (broken / 'last_checkpoint').write_text(last)
    # a newer one that is not of this run, above the current folder
    shutil.copy(whole / 'iter_8.pth', broken.parent)
    (broken.parent / 'here').mkdir()
    monkeypatch.chdir(broken.parent / 'here')
    job(broken, resume=True).train()
    check_resumed(broken, whole, at=6)
    assert 'Passed over' not in log(broken)


@pytest.mark.parametrize('oldest', ['iter_6.pth', 'iter_2.pth'])
def test_the_times_of_copied_files_tell_nothing(broken, whole, oldest):
    order = sorted(broken.glob('*.pth'), key=lambda x: x.name != oldest)
    for time, path in enumerate(order):
        os.utime(path, ns=(time, time))
    job(broken, resume=True).train()
    check_resumed(broken, whole, at=6)


def test_files_of_an_earlier_training_are_not_taken(broken, whole):
    shutil.copy2(whole / 'iter_8.pth', broken / 'iter_8.pth')
    os.utime(broken / 'iter_8.pth', ns=(0, 0))
    job(broken, resume=True).train()
    check_resumed(broken, whole, at=6)


def test_one_elsewhere_is_taken_as_it_is(broken, whole):
    address = f'file://{broken}/iter_4.pth'
    (broken / 'last_checkpoint').write_text(address)
    runner = job(broken, resume=True)
    with pytest.raises(Exception, match='iter_4.pth'):
        runner.train()  # mmengine has no backend for it
    assert f'{address} is not on this machine' in log(broken)
    assert not (broken / 'losses.jsonl').exists()


@pytest.mark.parametrize('named', [True, False])
@pytest.mark.parametrize('damaged', [True, False])
def test_checkpoints_in_another_folder(
    broken, whole, tmp_path, damaged, named
):
    out = tmp_path / 'out' / 'broken'
    out.mkdir(parents=True)
    for path in broken.glob('*.pth'):
        path.rename(out / path.name)
    if damaged:
        (out / 'iter_6.pth').write_bytes(b'')
    (broken / 'last_checkpoint').unlink()
    if named:
        (broken / 'last_checkpoint').write_text(str(out / 'iter_6.pth'))
    settings = dict(checkpoint=dict(out_dir=str(tmp_path / 'out')))
    job(broken, resume=True, **settings).train()
    check_resumed(broken, whole, at=4 if damaged else 6)
    assert not [*broken.glob('*.pth')]
    assert Path((broken / 'last_checkpoint').read_text()).parent == out
