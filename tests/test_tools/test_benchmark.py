import json
import re

import pytest
import torch
from benchmarks import _measure
from benchmarks._case import Case, optional
from benchmarks._measure import interleaved


def side(value, calls, name):
    def build():
        calls.append(f'build {name}')

        def work():
            calls.append(name)
            return [torch.full((3,), value)]

        return work

    return build


def test_sides_take_turns_after_their_results_were_compared():
    calls = []
    case = Case(
        shape='3',
        sides={'ours': side(1.0, calls, 'a'), 'theirs': side(1.0, calls, 'b')},
        samples=2,
    )
    times = interleaved(case, runs=2, device='cpu')
    assert calls == ['build a', 'build b', 'a', 'b', 'a', 'b', 'b', 'a']
    assert {name: len(found) for name, found in times.items()} == {
        'ours': 2,
        'theirs': 2,
    }


def test_the_floor_is_what_rates_of_the_turn_allow(monkeypatch):
    rates = iter([1e3, 2e3])
    monkeypatch.setattr(_measure, 'matrix_rate', lambda device: next(rates))
    monkeypatch.setattr(_measure, 'copy_rate', lambda device: 100.0)
    case = Case(
        shape='3',
        sides={'ours': side(1.0, [], '')},
        flops=4e3,
        traffic=300.0,
        samples=2,
    )
    # 4 s of arithmetic against 3 s of copying, then 2 s against 3 s
    assert interleaved(case, runs=2, device='cpu')['floor'] == [2.0, 1.5]


@pytest.mark.parametrize('value', [1.1, float('nan')])
def test_other_results_are_refused(value):
    sides = {'ours': side(1.0, [], ''), 'theirs': side(value, [], '')}
    with pytest.raises(SystemExit, match='theirs and ours'):
        interleaved(Case('3', sides), runs=1, device='cpu')
    interleaved(Case('3', sides, tolerance=None), runs=1, device='cpu')


MEMORY = """
import torch
from benchmarks._measure import peak_memory

def build():
    weights = torch.ones(16 * 2**20 // 4)

    def work():
        # 64 MiB beside as much, three times
        for _ in range(3):
            (weights.repeat(4) * 0).sum()

    return work

print(peak_memory(build, 'cpu') / 2**20)
"""


def test_peak_memory_is_that_of_the_work(run, repo):
    # of a process of its own: memory that was freed before would be used
    # again and not be counted
    done = run('python', '-c', MEMORY, path=repo / 'tools')
    assert 140 < float(done.stdout) < 160, done.stderr


def test_peers_that_are_not_installed_are_left_out(capsys):
    sides = {'theirs': side(1.0, [], '')}
    assert optional(sides, 'torch') == sides
    assert optional(sides, 'torch', 'no_such_module') == {}
    out = capsys.readouterr().out
    assert 'theirs: no_such_module is not installed' in out


@pytest.mark.slow
def test_the_table_of_a_part(run, tmp_path):
    out = tmp_path / 'vicreg.json'
    words = ('vicreg', '--runs', '1', '--no-memory', '--json', out)
    done = run('python', 'tools/benchmark.py', *words)
    lines = done.stdout.splitlines()
    assert re.search(r'1 runs; matrix product \d+ GFLOP/s, copy', lines[0])
    rows = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in lines
        if line.startswith('|')
    ]
    assert rows[0][:4] == ['part', 'shape', 'side', 'ms (range)']
    ours, floor = rows[2], next(row for row in rows if row[2] == 'floor')
    assert ours[0] == 'vicreg' and ours[2] == 'ours' and ours[4] == '1'
    assert floor[1] == ours[1] and 0 < float(floor[4].split()[0]) < 1
    written = json.loads(out.read_text())
    record = written['records'][0]
    assert record['part'] == 'vicreg' and record['side'] == 'ours'
    (taken,) = record['seconds']
    assert taken * 1e3 == pytest.approx(float(ours[3].split()[0]), rel=0.01)
    assert written['machine']['threads'] == 2
