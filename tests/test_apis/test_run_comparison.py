import json

import pytest

from mcjepa_mm.apis.run_comparison import compare, read_run


def train(step, **figures):
    return dict(lr=0.1, **figures, epoch=1, iter=step, step=step)


def validate(epoch, **figures):
    return dict(figures, time=0.5, step=epoch)


def write(start, *records, end='\n', **environment):
    path = start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, records)) + end)
    if environment:
        (start / 'environment.json').write_text(json.dumps(environment))


@pytest.fixture
def runs(tmp_path):
    """A run that was resumed at step 20, and one that goes on."""
    one, two = tmp_path / 'one', tmp_path / 'two'
    write(
        one / '20260101_000000',
        *(train(10, loss=5.0), train(20, loss=4.0)),
        validate(1, loss=3.5, **{'motion/EPE': 0.75}),
        *(train(30, loss=9.0), train(40, loss=8.0)),
    )
    write(
        one / '20260102_000000',
        *(train(30, loss=3.0), validate(2, **{'motion/EPE': 0.123456})),
        seed=3,
        commit='abc+',
    )
    write(
        two / '20260101_000000',
        train(10, **{'loss': 6.0, 'motion.rec': 0.25}),
        end='\n{"lr": 0.1, "lo',
    )
    return one, two


def test_a_later_start_replaces_what_it_repeats(runs):
    run = read_run(runs[0])
    assert run.name == 'one' and run.environment['seed'] == 3
    assert run.curves['loss'] == {10: 5.0, 20: 4.0, 30: 3.0}
    assert run.curves['val/loss'] == {20: 3.5}
    assert run.curves['motion/EPE'] == {20: 0.75, 30: 0.123456}
    start = read_run(runs[0] / '20260101_000000')
    assert start.curves['loss'][40] == 8.0 and start.environment == {}


def test_last_values_side_by_side(runs):
    table, picture = compare(runs)
    head, _, *rows = (
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in table.splitlines()
    )
    assert head == ['', 'one', 'two']
    assert rows == [
        ['steps', '30', '10'],
        ['seed', '3', '-'],
        ['commit', 'abc+', '-'],
        ['loss', '3', '6'],
        ['val/loss', '3.5', '-'],
        ['motion/EPE', '0.1235', '-'],
        ['motion.rec', '-', '0.25'],
    ]
    table, less = compare(runs, ['motion*', 'lr'])
    assert [line.split()[1] for line in table.splitlines()[5:]] == [
        *('lr', 'motion/EPE', 'motion.rec')
    ]
    assert less.shape[1] < picture.shape[1]
    # two of one name are called as they were given
    table, _ = compare([runs[0], runs[0].parent / 'two' / '..' / 'one'])
    assert f'{runs[0]} |' in table


def test_refusals(runs, tmp_path):
    (tmp_path / 'none').mkdir()
    with pytest.raises(FileNotFoundError, match='none is no run'):
        compare([*runs, tmp_path / 'none'])
    with pytest.raises(ValueError, match="'EPE'.*motion/EPE"):
        compare(runs, ['loss', 'EPE'])
    write(tmp_path / 'bad', {}, end='\nx\n')
    with pytest.raises(ValueError, match='bad/.*line 2'):
        read_run(tmp_path / 'bad')
