"""What all commands have in common."""

import importlib
import re
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / 'tools'))
command_line = importlib.import_module('_command_line')
commands = importlib.import_module('commands').find_commands()


def test_the_document_lists_all():
    text = (REPO / 'docs' / 'commands.md').read_text()
    rows = re.findall(r'^- `(\w+)`: (.*)$', text, re.MULTILINE)
    assert dict(rows) == commands


def test_the_list_is_a_command(run, tmp_path):
    done = run('python', REPO / 'tools' / 'commands.py', cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert any(re.match(r'train +Train from a config\.$', x) for x in lines)


def test_a_config_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = str(REPO / 'configs' / 'mcjepa_convnext.py')
    assert command_line.find_config('mcjepa_convnext.py') == expected
    assert command_line.find_config('mcjepa_convnext') == expected
    # a file that is there comes first
    Path('mcjepa_convnext.py').touch()
    name = 'mcjepa_convnext.py'
    assert command_line.find_config(name) == name
    # one in a folder is looked for nowhere else
    assert command_line.find_config(f'no/{name}') == f'no/{name}'
    assert command_line.find_config('nothing.py') == 'nothing.py'


def refuse():
    from mcjepa_mm.engine.hooks import IdleTaskHook

    IdleTaskHook(interval=0)


def refuse_within_a_registry():
    from mcjepa_mm.registry import HOOKS

    HOOKS.build(dict(type='IdleTaskHook', interval=0))


@pytest.mark.parametrize('main', [refuse, refuse_within_a_registry])
def test_what_is_refused_is_one_line(main, monkeypatch):
    with pytest.raises(SystemExit) as ended:
        command_line.run(main)
    assert re.match('ValueError: .*interval', ended.value.code)
    monkeypatch.setenv('MCJEPA_MM_TRACEBACK', '1')
    with pytest.raises(ValueError, match='interval'):
        command_line.run(main)


def test_a_fault_of_the_code_shows_where_it_is():
    def fail():
        from mcjepa_mm.engine.hooks import ScheduleHook

        ScheduleHook('x').value(None)  # compares None with a number

    with pytest.raises(TypeError, match='NoneType'):
        command_line.run(fail)


def test_a_missing_file_is_no_fault():
    with pytest.raises(SystemExit, match='FileNotFoundError: .*nowhere'):
        command_line.run(lambda: Path('nowhere').read_text())


@pytest.mark.slow
def test_without_mim(run, tmp_path):
    done = run('python', '-m', 'mcjepa_mm', 'trian', cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "mcjepa_mm has no command 'trian'; did you mean train? "
        'python -m mcjepa_mm lists all.'
    )
    words = ['train', 'mcjepa_convnext', '--cfg-options', 'epochs=1']
    done = run('python', '-m', 'mcjepa_mm', *words, cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith('ValueError: epochs is a variable of the config')
    assert 'Traceback' not in done.stderr
