from mmengine.config import Config, config
from yapf.yapflib.yapf_api import FormatCode

from mcjepa_mm.compat import config_text


def make_config(value):
    return Config(dict(a=[value] * 30, b=dict(c="it's", d=('x' * 50, 1.5))))


def test_text_is_yapfs_and_changes_with_the_config(monkeypatch):
    assert config_text.applied()
    first, second = make_config(1).pretty_text, make_config(2).pretty_text
    monkeypatch.setattr(config, 'FormatCode', FormatCode)
    assert first == make_config(1).pretty_text != second


def test_the_same_text_is_formatted_once(monkeypatch):
    formatted = []

    def count(text, **options):
        formatted.append(text)
        return FormatCode(text, **options)

    monkeypatch.setattr(config, 'FormatCode', config_text._remembering(count))
    cfg = make_config(3)
    assert cfg.pretty_text == cfg.pretty_text
    cfg.a.append(4)
    assert '4' in cfg.pretty_text
    assert len(formatted) == 2
