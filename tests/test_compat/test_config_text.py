import ast

import pytest
from mmengine.config import Config, config
from yapf.yapflib.yapf_api import FormatCode

from mcjepa_mm.compat import config_text
from mcjepa_mm.utils.config_text import format_config

CONFIGS = [
    'configs/mcjepa_convnext.py',
    'configs/flow/mcjepa-flow_convnext-micro_embedded.py',
]

pytestmark = pytest.mark.skipif(
    not config_text.needed(), reason='mmengine 0.11 does not format by yapf'
)


@pytest.fixture
def patched(monkeypatch):
    monkeypatch.setattr(config, 'FormatCode', FormatCode)  # to put back
    config_text.apply()


def test_it_is_what_mmengine_calls(patched):
    cfg = Config(dict(a=1, b=['x' * 70, dict(c=2)]))
    assert cfg.pretty_text == (
        "a = 1\nb = [\n    '" + 'x' * 70 + "',\n    dict(c=2),\n]\n"
    )
    cfg.a = 3
    assert cfg.pretty_text.startswith('a = 3\n')
    with pytest.raises(SyntaxError):
        Config(dict(a=object())).pretty_text  # noqa: B018


@pytest.mark.parametrize('path', CONFIGS)
def test_it_means_what_yapfs_text_means(repo, path, monkeypatch):
    monkeypatch.setattr(config, 'FormatCode', FormatCode)
    theirs = Config.fromfile(repo / path).pretty_text
    text = format_config(theirs)
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(theirs))
    # a string is not broken, however deep it stands
    long = [line for line in text.splitlines() if len(line) > 79]
    assert all(line.count("'") == 2 for line in long)
    assert text.count('\n') > 100
