import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    'modules',
    [
        'mmflow.models, mmflow.datasets, mmflow.evaluation',
        'mmpretrain.models, mmpretrain.datasets',
        'mmseg.models, mmseg.datasets, mmseg.evaluation',
    ],
)
def test_other_projects_import_after_this_package(run, modules):
    done = run('python', '-c', f'import mcjepa_mm; import {modules}')
    assert done.returncode == 0, done.stderr
