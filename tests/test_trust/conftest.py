"""Untrusted files, each with a payload that leaves a mark if it runs."""

import builtins
import io
import os
import pickle
import subprocess
import tarfile

import pytest
import torch
from pickled_call import Call

from mcjepa_mm.models.backbones import MCJEPAConvNeXt

ARCH = dict(depths=(1, 1, 1, 1), channels=(8, 16, 24, 32))


def call_in_a_tensor(call):
    return dict(state_dict=dict(WEIGHTS, extra=call), meta={})


def call_in_meta(call):
    return dict(state_dict=dict(WEIGHTS), meta=dict(cfg=['x', (call,)]))


WEIGHTS = {
    f'backbone.{key}': value
    for key, value in MCJEPAConvNeXt(ARCH).state_dict().items()
}


def as_pickle(content, path, **kwargs):
    path.write_bytes(pickle.dumps(content, **kwargs))


def as_legacy(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def as_tar(content, path):
    """As torch wrote before 2017; what comes first is loaded first."""
    data = pickle.dumps(content['meta'], protocol=2)
    with tarfile.open(path, 'w') as tar:
        for name in ('storages', 'tensors', 'pickle'):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def as_torchscript(content, path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)


def as_safetensors(content, path):
    from safetensors.torch import save_file

    save_file(WEIGHTS, path)


# By name: how the payload is called, where it is, what kind of file it is,
# what the file's name ends in.
UNTRUSTED = dict(
    system=(os.system, call_in_meta, torch.save, '.pth'),
    exec=(builtins.exec, call_in_meta, torch.save, '.pth'),
    eval=(builtins.eval, call_in_a_tensor, torch.save, '.pth'),
    subprocess=(subprocess.call, call_in_a_tensor, torch.save, '.pth'),
    legacy=(builtins.exec, call_in_meta, as_legacy, '.pth'),
    tar=(builtins.exec, call_in_meta, as_tar, '.pth'),
    pickle=(os.system, call_in_meta, as_pickle, '.pth'),
    named_safetensors=(
        builtins.exec,
        call_in_meta,
        torch.save,
        '.safetensors',
    ),
    torchscript=(builtins.exec, call_in_meta, as_torchscript, '.pth'),
    is_safetensors=(builtins.exec, call_in_meta, as_safetensors, '.pth'),
)


@pytest.fixture
def mark(tmp_path):
    """What a payload makes; nothing else does."""
    path = tmp_path / 'ran'
    yield path
    assert not path.exists(), 'the payload has been run'


@pytest.fixture
def untrusted(tmp_path, mark):
    """Function that writes the file of this name, one of UNTRUSTED."""

    def untrusted(name):
        function, nest, save, suffix = UNTRUSTED[name]
        words = {
            os.system: [f'touch {mark}'],
            subprocess.call: [['touch', str(mark)]],
        }.get(function, [f'open({str(mark)!r}, "w")'])
        path = tmp_path / f'untrusted{suffix}'
        save(nest(Call(function, *words)), path)
        return path

    return untrusted
