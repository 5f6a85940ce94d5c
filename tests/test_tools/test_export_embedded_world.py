import pytest


@pytest.mark.slow
def test_export(command, command_here, tmp_path):
    words = ['--num-scenes', 1, '--num-frames', 2, '--size', 64, 96]
    done = command(
        'export_embedded_world', 'sintel', 'data/sintel', *words, '--static', 1
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == 'data/sintel: 12 files in the layout of sintel\n'
    root = tmp_path / 'data' / 'sintel'
    assert (root / 'training/flow/world_1/frame_0001.flo').is_file()
    # not twice
    done = command_here('export_embedded_world', 'sintel', 'data/sintel')
    assert done.returncode == 1 and str(root) in done.stderr.splitlines()[-1]
    assert [path.name for path in root.parent.iterdir()] == ['sintel']
