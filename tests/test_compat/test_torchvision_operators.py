from types import SimpleNamespace

import pytest

from mcjepa_mm.compat import torchvision_operators


@pytest.mark.slow
def test_torchvision_import_fails_without_the_patch_and_not_with_it(run):
    if not torchvision_operators.needed():
        pytest.skip("torchvision's compiled half loads here")
    plain = run('python', '-c', 'import torchvision')
    assert plain.returncode != 0
    assert 'operator torchvision::nms does not exist' in plain.stderr

    patched = run(
        'python',
        '-c',
        'import mcjepa_mm, torchvision, torch\n'
        'print(torchvision.transforms.functional.hflip(torch.eye(2)))\n'
        'torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)',
    )
    assert patched.stdout.split() == ['tensor([[0.,', '1.],', '[1.,', '0.]])']
    # The schemas let nothing pass for a kernel.
    assert "Couldn't load custom C++ ops" in patched.stderr


def test_a_folder_without_a_library_counts_as_not_loading(tmp_path):
    assert not torchvision_operators._compiled_half_loads(str(tmp_path))
    (tmp_path / '_C_stable.so').write_bytes(b'not a library')
    assert not torchvision_operators._compiled_half_loads(str(tmp_path))


def test_what_torchvision_has_is_left_alone(monkeypatch):
    """Defining an operator twice aborts the process."""
    monkeypatch.setattr(torchvision_operators, '_library', None)
    extension = SimpleNamespace(_has_ops=lambda: True)
    torchvision_operators._define_schemas(extension)
    assert torchvision_operators._library is None
