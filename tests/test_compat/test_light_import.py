HEAVY = ['torch', 'torchvision', 'mmcv', 'mmflow', 'mmpretrain', 'mmseg']


def test_importing_the_package_imports_no_heavy_package(run):
    done = run(
        'python',
        '-c',
        'import mcjepa_mm, mcjepa_mm.registry, sys; '
        f'print([name for name in {HEAVY} if name in sys.modules])',
    )
    assert (done.returncode, done.stdout.strip()) == (0, '[]'), done.stderr


def test_what_was_mended_can_be_printed(run):
    done = run('python', '-m', 'mcjepa_mm.compat')
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ['mend', 'needed', 'here', 'applied']
    names = [
        'mmcv_ext',
        'torchvision_operators',
        'plain_checkpoints',
        'foreign_checkpoints',
        'mmflow_hue',
        'config_text',
    ]
    assert [row[0] for row in rows[1:]] == names
    for _, needed, applied in rows[1:]:
        assert applied == needed
