import enum
import logging
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mcjepa_mm.utils import serializable
from mcjepa_mm.utils.serializable import restore_history, to_serializable


class Color(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(
    'value, plain',
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (np.float64(0.25), 0.25),
        (np.str_('name'), 'name'),
        (Color.RED, 1),
        ((1, [np.int64(2)]), (1, [2])),
        (OrderedDict(a=np.int8(1)), OrderedDict(a=1)),
        (Counter([3]), Counter([3])),
        ({'keep': 1, 'code': len}, {'keep': 1}),
        ({'a': {np.int64(1): 'x'}}, {'a': {1: 'x'}}),
    ],
)
def test_to_serializable(value, plain, tmp_path):
    got = to_serializable(value, 'value')
    assert got == plain
    assert type(got) is type(plain)
    torch.save(got, tmp_path / 'value.pth')
    assert torch.load(tmp_path / 'value.pth', weights_only=True) == plain


def test_arrays_become_tensors_of_their_own_memory():
    array = np.arange(3)
    tensor = to_serializable([array], 'value')[0]
    array[0] = 9
    assert torch.equal(tensor, torch.arange(3))


def test_what_has_no_plain_form_is_named_once(monkeypatch):
    monkeypatch.setattr(serializable, '_dropped', set())
    value = {'good': 1, 'bad': {'worse': [1, object()]}}
    lines = []
    monkeypatch.setattr(
        serializable,
        'print_log',
        lambda message, logger, level: lines.append((message, level)),
    )
    for _ in range(2):
        assert to_serializable(value, 'meta') == {'good': 1, 'bad': {}}
    [(message, level)] = lines
    assert 'meta.bad.worse[1] is a ' in message
    assert level == logging.WARNING


def test_a_value_that_no_dict_can_leave_out_raises():
    with pytest.raises(TypeError, match=r'epochs\[0\] is a set'):
        to_serializable([{1}], 'epochs')


def test_a_history_comes_back(tmp_path):
    saved = HistoryBuffer([1.0, 2.5, float('nan')], [1, 2, 3], 7)
    torch.save(to_serializable(saved, 'loss'), tmp_path / 'loss.pth')
    packed = torch.load(tmp_path / 'loss.pth', weights_only=True)
    buffer = restore_history(packed)
    for got, wanted in zip(buffer.data, saved.data, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert buffer.max_length == 7
    assert restore_history(buffer) is buffer
