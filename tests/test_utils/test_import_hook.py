import importlib
import sys

import pytest

from mcjepa_mm.utils.import_hook import _FINDER, on_import


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A module that notes its execution, and is forgotten afterwards."""
    name = 'mcjepa_mm_watched_module'
    (tmp_path / f'{name}.py').write_text("order = ['body']\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)
    _FINDER.actions.pop(name, None)


def test_actions_run_in_order_after_the_module_body(watched):
    for word in ('first', 'second'):
        on_import(watched, lambda module, word=word: module.order.append(word))
    module = importlib.import_module(watched)
    assert module.order == ['body', 'first', 'second']
    assert module.__spec__.origin.endswith(f'{watched}.py')


def test_a_module_that_is_already_there_is_handed_over_at_once(watched):
    module = importlib.import_module(watched)
    on_import(watched, lambda module: module.order.append('after'))
    assert module.order == ['body', 'after']


def test_a_module_that_does_not_exist_stays_so():
    name = 'mcjepa_mm_no_such_module'
    on_import(name, print)
    with pytest.raises(ModuleNotFoundError, match=name):
        importlib.import_module(name)
    del _FINDER.actions[name]
