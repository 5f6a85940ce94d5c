import pytest
import torch

from mcjepa_mm.models.backbones import MCJEPAConvNeXt


@pytest.mark.slow
def test_there_and_from_a_published_one(command, command_here, tmp_path):
    model = MCJEPAConvNeXt('atto')
    torch.save(model.state_dict(), tmp_path / 'ours.pth')
    done = command(
        'convert_keys',
        'ours.pth',
        '--to',
        'timm',
        '--out',
        'a.pth',
        '--conv-mlp',
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f'a.pth: {len(model.state_dict())} tensors from mcjepa to timm, for '
        'depths=(2, 2, 6, 2), dims=(40, 80, 160, 320), in_chans=3, '
        'ls_init_value=1e-06, conv_mlp=True\n'
    )
    import timm

    theirs = timm.create_model('convnext_atto')
    torch.save(theirs.state_dict(), tmp_path / 'timm.pth')
    done = command_here(
        'convert_keys', 'timm.pth', '--to', 'mcjepa', '--out', 'b.pth'
    )
    assert done.returncode == 0, done.stderr
    other_stem, left_out, written = done.stdout.splitlines()
    assert 'another stem' in other_stem and '12 tensors' in other_stem
    assert left_out.endswith('no place for them: stem, head (8 tensors)')
    assert written.startswith('b.pth: ') and written.endswith("arch='atto'")
