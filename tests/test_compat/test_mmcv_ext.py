import pytest

from mcjepa_mm.compat import mmcv_ext


@pytest.mark.slow
def test_mmcv_ops_import_fails_without_the_patch_and_not_with_it(run):
    if not mmcv_ext.needed():
        pytest.skip('the mmcv installed here has its compiled half')
    plain = run('python', '-c', 'import mmcv.ops')
    assert plain.returncode != 0
    assert "No module named 'mmcv._ext'" in plain.stderr

    patched = run(
        'python',
        '-c',
        'import mcjepa_mm, mmcv.ops, mmcv.utils, torch\n'
        "print(mmcv.utils.collect_env()['MMCV Compiler'])\n"
        'x = torch.zeros(1, 4), torch.zeros(1)\n'
        'mmcv.ops.nms(*x, 0.5)',
    )
    assert patched.stdout.strip() == 'n/a', patched.stderr
    last = patched.stderr.strip().splitlines()[-1]
    assert "compiled mmcv operator 'nms' was called" in last
    assert 'uninstall mmcv-lite' in last


@pytest.mark.parametrize(
    'ext, outcome',
    [
        ('REAL = True', 'True False'),  # no stand-in before a real one
        ("raise ImportError('wrong ABI')", 'wrong ABI False'),
        (None, 'False True'),
    ],
)
def test_only_an_absent_extension_gets_a_stand_in(
    run, repo, tmp_path, ext, outcome
):
    package = tmp_path / 'mmcv'
    package.mkdir()
    (package / '__init__.py').touch()
    if ext is not None:
        (package / '_ext.py').write_text(ext)
    done = run(
        'python',
        '-c',
        'import sys, mcjepa_mm\n'
        'from mcjepa_mm.compat import mmcv_ext\n'
        'try:\n'
        '    from mmcv import _ext\n'
        '    answer = _ext.REAL is True\n'
        'except ImportError as error:\n'
        '    answer = error\n'
        'print(answer, mmcv_ext._FINDER in sys.meta_path)',
        path=f'{tmp_path}:{repo}',
    )
    assert done.stdout.strip() == outcome, done.stderr
