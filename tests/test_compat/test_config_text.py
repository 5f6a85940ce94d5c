import ast
import math

import pytest
from mmengine.config import Config, config
from yapf.yapflib.yapf_api import FormatCode

from mcjepa_mm.compat import config_text
from mcjepa_mm.compat.config_text import format_config

CONFIGS = [
    'configs/mcjepa_convnext.py',
    'configs/flow/mcjepa-flow_convnext-micro_embedded.py',
]

yapfs = pytest.mark.skipif(
    not config_text.needed(), reason='mmengine 0.11 does not format by yapf'
)


@yapfs
def test_it_is_what_mmengine_calls(monkeypatch):
    assert config_text.applied()
    cfg = Config(dict(a=1, b=['x' * 70, dict(c=2)]))
    assert cfg.pretty_text == (
        "a = 1\nb = [\n    '" + 'x' * 70 + "',\n    dict(c=2),\n]\n"
    )
    cfg.a = 3
    assert cfg.pretty_text.startswith('a = 3\n')


@yapfs
@pytest.mark.parametrize('path', CONFIGS)
def test_it_means_what_yapfs_text_means(repo, path, monkeypatch):
    cfg = Config.fromfile(repo / path)
    text = cfg.pretty_text
    monkeypatch.setattr(config, 'FormatCode', FormatCode)
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(cfg.pretty_text))
    assert max(map(len, text.splitlines())) <= 79
    assert text.count('\n') > 100


def test_values_that_are_hard_to_write_come_back():
    values = dict(
        quotes='it\'s "x"\n' * 12,
        keys={'a.b': [1, (2,), ()] * 9, 'c d': {}, **{'k' * 40: dict(x=1)}},
        numbers=(1e-30, -0.5, 10**30, None, True) * 9,
        nested=[[dict(a=[1] * 40)]],
        empty=[dict(), [], (), ''],
    )
    text = Config(values).pretty_text
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
    with pytest.raises(SyntaxError, match='Failed to format the config'):
        Config(dict(a=object())).pretty_text  # noqa: B018


def test_numbers_without_end_keep_their_names():
    assert format_config(f'a = {math.inf}\nb = [{-math.inf}]') == (
        'a = inf\nb = [-inf]\n'
    )
