"""The text of a swapped config, read back by mmengine."""

import pytest
from mmengine.config import Config

from mcjepa_mm.swap.config_text import difference, write_config


@pytest.mark.parametrize(
    'old, new',
    [
        (dict(type='A', x=1, y=[1, 2]), dict(type='A', x=2, y=[1, 2])),
        (dict(type='A', x=1), dict(type='B', z=3)),  # another type
        (dict(type='A', x=1, y=2), dict(type='A', x=1)),  # a key goes
        (dict(type='A', x=None), dict(type='A', x=dict(type='B'))),
        (dict(type='A'), dict(type='A', x=dict(type='B', v=(1,)))),
        (dict(type='A', x=dict(p=1, q=2)), dict(type='A', x=dict(p=1, q=3))),
        (dict(type='A', x=[dict(p=1)]), dict(type='A', x=[dict(p=2)])),
        (dict(type='A', x=dict(p=1)), dict(type='A', x=None)),
        (dict(type='A', x={'a.b': 1}), dict(type='A', x={'a.b': 2})),
    ],
)
def test_inheriting_the_difference_gives_the_new_value(old, new, tmp_path):
    (tmp_path / 'base.py').write_text(f'model = {old!r}\n')
    path = tmp_path / 'swapped.py'
    path.write_text(
        write_config('base.py', dict(model=difference(old, new)), ['a note'])
    )
    found = Config.fromfile(path).model.to_dict()
    assert found == new
    for key, value in new.items():  # == takes no list for a tuple
        assert type(found[key]) is type(value)


def test_only_what_differs_is_written():
    old = dict(type='A', x=dict(p=1, q=2), y=5)
    new = dict(type='A', x=dict(p=1, q=3), y=5)
    assert difference(old, new) == dict(x=dict(q=3))
