import subprocess
import sys
import tarfile
import zipfile
from collections import Counter

import pytest

pytestmark = pytest.mark.slow


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def files_under(folder):
    return {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def test_the_wheel_holds_every_module_and_what_mim_looks_for_once(
    wheel, sources
):
    names = names_in(wheel)
    files = files_under(sources / 'mcjepa_mm')
    modules = {x for x in files if x.endswith('.py') and '/.mim/' not in x}
    weights = {x for x in files if '/weights/' in x}
    assert {x[-4:] for x in weights} == {'.pth', 'json'}
    assert modules | weights <= set(names)
    assert wheel.stat().st_size <= 8e6
    expected = {'model-index.yml'}
    expected |= files_under(sources / 'configs')
    expected |= files_under(sources / 'tools')
    found = [name for name in names if '/.mim/' in name]
    assert Counter(found) == Counter(f'mcjepa_mm/.mim/{x}' for x in expected)
    # No config or tool in a second place, where MIM would find two.
    strays = ('configs/', 'tools/', 'tests/', 'model-index.yml')
    assert [name for name in names if name.startswith(strays)] == []


def test_the_source_archive_makes_the_same_wheel(
    wheel, sources, build_wheel, tmp_path
):
    subprocess.run(
        [
            sys.executable,
            '-c',
            'import setuptools.build_meta as backend, sys; '
            'backend.build_sdist(sys.argv[1])',
            tmp_path,
        ],
        cwd=sources,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    [archive] = tmp_path.glob('*.tar.gz')
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path)
    unpacked = tmp_path / archive.name[: -len('.tar.gz')]
    again = build_wheel(unpacked, tmp_path)
    assert sorted(names_in(again)) == sorted(names_in(wheel))
