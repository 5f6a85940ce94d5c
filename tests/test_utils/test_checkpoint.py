import json
import re

import pytest
import torch

from mcjepa_mm.utils.checkpoint import (
    encode_checkpoint,
    read_checkpoint,
    write_new,
)

WEIGHTS = {
    'b.weight': torch.arange(6.0).reshape(2, 3).t(),
    'a': torch.tensor(3),
    'half': torch.ones(5, dtype=torch.float16),
}
META = dict(
    sizes=(1, 2),
    name='x "y" \u00e4',
    number=3,
    nothing=None,
    more=dict(a=[0.5]),
)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_there_and_back(tmp_path, suffix):
    path = tmp_path / f'new/folder/x{suffix}'
    write_new(path, encode_checkpoint(WEIGHTS, META, suffix=suffix))
    assert [x.name for x in path.parent.iterdir()] == [path.name]
    weights, meta = read_checkpoint(path)
    assert weights.keys() == WEIGHTS.keys()
    for key, value in WEIGHTS.items():
        assert weights[key].dtype == value.dtype
        assert torch.equal(weights[key], value)
    if suffix == '.pth':
        assert meta == META
    else:
        assert meta.pop('format') == 'pt'
        assert meta.pop('name') == META['name']
        decoded = {key: json.loads(value) for key, value in meta.items()}
        assert decoded == dict(
            sizes=[1, 2], number=3, nothing=None, more=dict(a=[0.5])
        )


def test_a_safetensors_file_is_in_order():
    """safetensors' own order of eleven is this one in 1 of 11! cases."""
    meta = {f'key{i}': str(i) for i in range(10)}
    data = encode_checkpoint(WEIGHTS, meta, suffix='.safetensors')
    length = int.from_bytes(data[:8], 'little')
    assert length % 8 == 0
    header = json.loads(data[8 : 8 + length])
    assert list(header['__metadata__']) == ['format', *meta]


def test_what_is_no_checkpoint(tmp_path):
    for name, content in [('a.pth', b''), ('a.safetensors', b'12345678{')]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name) as raised:
            read_checkpoint(tmp_path / name)
        assert '\n' not in str(raised.value)
    for content in ([torch.ones(1)], dict(state_dict=[1])):
        torch.save(content, tmp_path / 'b.pth')
        with pytest.raises(ValueError, match='dict of tensors, got list'):
            read_checkpoint(tmp_path / 'b.pth')
    with pytest.raises(FileNotFoundError, match=re.escape(f"'{tmp_path}'")):
        read_checkpoint(tmp_path)
    with pytest.raises(ValueError, match=r"\.pth or \.safetensors, got '.pt'"):
        encode_checkpoint(WEIGHTS, META, suffix='.pt')
