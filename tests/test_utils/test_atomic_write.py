"""Files that a full disk, an error or a kill leaves as they were."""

import os
import signal
import subprocess
import sys

import pytest

from mcjepa_mm.utils import atomic_write as module
from mcjepa_mm.utils.atomic_write import atomic_open, atomic_write

LIMITED = """
import errno, resource, sys
from pathlib import Path
import torch
from mcjepa_mm.utils.atomic_write import atomic_open, atomic_write

path, how = Path(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    if how == 'bytes':
        atomic_write(path, bytes(3_000_000))
    else:
        # several tensors: one fails, and torch goes on to close its archive
        content = {str(i): torch.zeros(100_000) for i in range(8)}
        with atomic_open(path) as file:
            torch.save(content, file)
except OSError as error:
    print(errno.errorcode[error.errno], error)
"""


@pytest.fixture(autouse=True)
def a_process_that_wrote_nothing(monkeypatch):
    monkeypatch.setattr(module, '_cleaned', set())


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / 'mine.bin'
    path.write_bytes(b'old')
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_in_place_at_the_end_only(mine):
    with atomic_open(mine) as file:
        file.write(b'new')
        file.flush()
        assert mine.read_bytes() == b'old'
        assert len(names(mine.parent)) == 2
    assert mine.read_bytes() == b'new'
    assert names(mine.parent) == ['mine.bin']
    atomic_write(mine, b'newer')
    assert mine.read_bytes() == b'newer'
    assert mine.stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.parametrize('letter', ['a', '\u00e9', '\u6f22', '\udce9'])
def test_a_name_as_long_as_names_may_be(tmp_path, letter):
    size = len(os.fsencode(letter))
    one, two = (
        tmp_path / (letter * ((255 - len(end)) // size) + end)
        for end in ('1.png', '2.png')
    )
    # that the two have one beginning does not mix them up
    with atomic_open(one) as first, atomic_open(two) as second:
        first.write(b'one')
        second.write(b'two')
    assert (one.read_bytes(), two.read_bytes()) == (b'one', b'two')
    assert len(names(tmp_path)) == 2


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(mine, error):
    with pytest.raises(error, match='^mine$'), atomic_open(mine) as file:
        file.write(b'half')
        raise error('mine')
    assert mine.read_bytes() == b'old'
    assert names(mine.parent) == ['mine.bin']


def test_content_and_name_are_forced_to_the_disk(mine, monkeypatch):
    """In this order; that they get there, only a loss of power could show."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def see_fsync(handle):
        path = os.readlink(f'/proc/self/fd/{handle}')
        calls.append((path, os.fstat(handle).st_size))
        fsync(handle)

    def see_replace(part, path):
        calls.append('replace')
        replace(part, path)

    monkeypatch.setattr(os, 'fsync', see_fsync)
    monkeypatch.setattr(os, 'replace', see_replace)
    atomic_write(mine, b'12345')
    (part, size), middle, (folder, _) = calls
    assert part.startswith(f'{mine}.') and part.endswith('.part')
    assert size == 5 and middle == 'replace' and folder == str(mine.parent)


@pytest.mark.slow
@pytest.mark.parametrize('how', ['bytes', 'torch'])
def test_a_file_over_the_limit(mine, run, how):
    done = run('python', '-c', LIMITED, mine, how)
    assert done.stdout == (
        f'EFBIG [Errno 27] {mine} could not be written: File too large. What '
        'was there before is as it was; free space there, or raise the '
        'limit.\n'
    ), done.stderr
    assert mine.read_bytes() == b'old'
    assert names(mine.parent) == ['mine.bin']


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='see that its folder') as it:
        atomic_write(tmp_path / 'none' / 'x', b'')
    assert f'{tmp_path}/none/x could not be written: No such' in str(it.value)
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError, match='file/x could not'):
        atomic_write(tmp_path / 'file' / 'x', b'')


def test_an_unwritten_name_that_is_a_folder(tmp_path):
    (tmp_path / 'x').mkdir()
    with pytest.raises(IsADirectoryError, match='x could not be written'):
        atomic_write(tmp_path / 'x', b'')
    assert names(tmp_path) == ['x']


def test_what_a_killed_process_leaves_is_removed(tmp_path):
    script = (
        'import sys\n'
        'from mcjepa_mm.utils.atomic_write import atomic_open\n'
        'with atomic_open(sys.argv[1]) as file:\n'
        '    print(flush=True)\n'
        '    sys.stdin.read()\n'
    )
    started = [
        subprocess.Popen(
            [sys.executable, '-c', script, tmp_path / name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ('killed', 'busy')
    ]
    killed, busy = started
    for each in started:
        each.stdout.readline()
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    kept = ['a.part', 'x.elsewhere.1.part', f'x.{module._HOST}.0x1.part']
    for name in kept:
        (tmp_path / name).touch()
    before = [name for name in names(tmp_path) if name.endswith('.part')]
    assert len(before) == 5

    atomic_write(tmp_path / 'other', b'')
    parts = [name for name in names(tmp_path) if name.startswith('busy')]
    assert len(parts) == 1
    assert names(tmp_path) == sorted([*kept, *parts, 'other'])
    busy.communicate()
    assert busy.returncode == 0
    assert names(tmp_path) == sorted([*kept, 'busy', 'other'])


def test_leftovers_that_may_not_be_removed_are_no_obstacle(
    tmp_path, monkeypatch
):
    left = tmp_path / f'other.{module._HOST}.9999999.part'
    left.touch()
    unlink = module.Path.unlink

    def refuse(path, missing_ok=False):
        # what a folder of many users says of another's file
        if path == left:
            raise PermissionError(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(module.Path, 'unlink', refuse)
    atomic_write(tmp_path / 'mine', b'new')
    assert names(tmp_path) == ['mine', left.name]


def test_an_own_error_without_number_stays_its_own(mine):
    with pytest.raises(OSError, match='^no picture$') as raised:
        with atomic_open(mine):
            raise OSError('no picture')
    assert raised.value.errno is None
