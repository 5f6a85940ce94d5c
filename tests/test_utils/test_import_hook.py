import importlib
import sys

import pytest

from mcjepa_mm.utils import import_hook


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A module that notes its execution, and is forgotten afterwards."""
    name = 'mcjepa_mm_watched_module'
    (tmp_path / f'{name}.py').write_text("order = ['body']\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)
    import_hook._FINDER.actions.pop(name, None)


def test_actions_run_around_the_module_body(watched):
    seen = []
    import_hook.on_import(
        watched,
        before=lambda module: seen.append(hasattr(module, 'order')),
        after=lambda module: module.order.append('after'),
    )
    module = importlib.import_module(watched)
    assert seen == [False]
    assert module.order == ['body', 'after']
    assert module.__spec__.origin.endswith(f'{watched}.py')


def test_a_module_that_is_already_there_is_handed_over_at_once(watched):
    module = importlib.import_module(watched)
    import_hook.on_import(
        watched,
        before=lambda module: module.order.append('before'),
        after=lambda module: module.order.append('after'),
    )
    assert module.order == ['body', 'after']


def test_a_module_that_does_not_exist_stays_so():
    name = 'mcjepa_mm_no_such_module'
    import_hook.on_import(name, before=print)
    with pytest.raises(ModuleNotFoundError, match=name):
        importlib.import_module(name)
    del import_hook._FINDER.actions[name]


def test_two_may_wait_for_the_same_module(watched):
    for word in ('first', 'second'):
        import_hook.on_import(
            watched, after=lambda module, word=word: module.order.append(word)
        )
    module = importlib.import_module(watched)
    assert module.order == ['body', 'first', 'second']
