import re
import sys
from pathlib import Path

import pytest
import torch

from mcjepa_mm.utils import memory


@pytest.mark.skipif(sys.platform != 'linux', reason='Linux alone limits it')
def test_what_the_machine_has_not_cannot_be_taken(monkeypatch):
    status = Path('/proc/self/status').read_text()
    used, mapped = (
        1024 * int(re.search(rf'{name}:\s+(\d+)', status)[1])
        for name in ('RssAnon', 'VmData')
    )
    # larger than any room that earlier tests have left free in the heap,
    # which is no new memory
    beyond = mapped + 2**28
    monkeypatch.setattr(memory, 'machine_memory', lambda: used + 2**28)
    with memory.limited_memory():
        assert torch.empty(2**27, dtype=torch.uint8).numel() == 2**27
        with pytest.raises(RuntimeError) as caught:
            torch.empty(beyond, dtype=torch.uint8)
    assert memory.is_shortage(caught.value)
    assert not memory.is_shortage(RuntimeError('shapes do not fit'))
    torch.empty(beyond, dtype=torch.uint8)


def test_a_container_has_less(monkeypatch, tmp_path):
    whole = memory.machine_memory()
    limit = tmp_path / 'memory.max'
    monkeypatch.setattr(memory, '_LIMITS', (str(limit),))
    for text, expected in (('max\n', whole), ('1000000\n', 10**6)):
        limit.write_text(text)
        assert memory.machine_memory() == expected
