import math

import pytest
from mmengine.config import Config

from mcjepa_mm.utils.config_text import format_config, read_model


def test_values_that_are_hard_to_write_come_back():
    values = dict(
        quotes='it\'s "x"\n' * 12,
        keys={'a.b': [1, (2,), ()] * 9, 'c d': {}, **{'k' * 40: dict(x=1)}},
        numbers=(1e-30, -0.5, 10**30, None, True) * 9,
        nested=[[dict(a=[1] * 40)]],
        empty=[dict(), [], (), ''],
    )
    text = format_config(Config(values).pretty_text)
    found = Config.fromstring(text, '.py').to_dict()
    assert repr(found) == repr({k: values[k] for k in found})
    assert len(found) == len(values)


def test_a_line_takes_79_columns_with_its_comma():
    fits = 'y' * 64
    line = f"    dict(k='{fits}'),"
    assert len(line) == 79
    assert format_config(f"x = [dict(k='{fits}'), 1]") == (
        f'x = [\n{line}\n    1,\n]\n'
    )
    wide = 'y' * 65
    assert format_config(f"x = [dict(k='{wide}'), 1]") == (
        f"x = [\n    dict(\n        k='{wide}',\n    ),\n    1,\n]\n"
    )


def test_unpacked_arguments_stay_unpacked():
    name = 'y' * 70
    assert format_config(f'x = dict(**{name})\ny = {{**{name}, 1: 2}}') == (
        f'x = dict(\n    **{name},\n)\ny = {{\n    **{name},\n    1: 2,\n}}\n'
    )


def test_what_is_no_python_is_refused():
    with pytest.raises(SyntaxError):
        format_config('a = <object at 0x1>')


def test_numbers_without_end_keep_their_names():
    assert format_config(f'a = {math.inf}\nb = [{-math.inf}]') == (
        'a = inf\nb = [-inf]\n'
    )


def test_a_config_is_read_and_not_run():
    text = "a = 1\nmodel = dict(x=(1, -2.5), y=[None, {'z': True}])\n"
    found = dict(x=(1, -2.5), y=[None, dict(z=True)])
    assert read_model(text) == found
    assert read_model(Config(dict(model=found)).pretty_text) == found
    assert read_model(f'model = {found!r}') == found
    for call in ("open('ran', 'w')", "dict(x=__import__('os'))", 'a'):
        with pytest.raises(ValueError):
            read_model(f'model = {call}')
    with pytest.raises(ValueError, match='model'):
        read_model('a = 1')
