"""What ``import mcjepa_mm`` does, in a process of its own."""

HEAVY = ['torch', 'torchvision', 'mmcv', 'mmflow', 'mmpretrain', 'mmseg']
BEHAVIOUR = """
import sys
import torch, mmengine.runner
from mmengine.config import config
from mmengine.logging import MessageHub
from mmengine.runner import checkpoint, runner

def behaviour():
    return dict(
        state_dict=MessageHub.state_dict,
        load_state_dict=MessageHub.load_state_dict,
        save=checkpoint.save_checkpoint,
        runner_save=runner.save_checkpoint,
        mmengine_save=mmengine.runner.save_checkpoint,
        torch=checkpoint.torch,
        load_url=checkpoint.load_url,
        FormatCode=getattr(config, 'FormatCode', None),
        **checkpoint.CheckpointLoader._schemes,
    )

before, finders = behaviour(), list(sys.meta_path)
import mcjepa_mm
from mcjepa_mm.compat import mmcv_ext
from mcjepa_mm.utils import import_hook
after = behaviour()
print([k for k in after if after[k] is not before.get(k)])
ours = import_hook._FINDER, mmcv_ext._FINDER
print([x for x in sys.meta_path if x not in ours] == finders)
import mcjepa_mm.compat.all
after = behaviour()
print([k for k in after if after[k] is not before.get(k)])
"""


def test_importing_the_package_imports_no_heavy_package(run):
    done = run(
        'python',
        '-c',
        'import mcjepa_mm, mcjepa_mm.registry, sys; '
        f'print([name for name in {HEAVY} if name in sys.modules])',
    )
    assert (done.returncode, done.stdout.strip()) == (0, '[]'), done.stderr


def test_mmengine_is_changed_by_compat_all_only(run):
    done = run('python', '-c', BEHAVIOUR)
    assert done.returncode == 0, done.stderr
    by_import, same_finders, by_all = done.stdout.splitlines()
    # the names of this package's weights, which mmengine did not know
    assert eval(by_import) == ['mcjepa://', 'mcjepa-convnext-']
    assert same_finders == 'True'
    changed = {
        *('load_state_dict', 'save', 'runner_save', 'mmengine_save'),
        *('torch', 'load_url'),
    }
    changed |= set(eval(by_import))
    assert set(eval(by_all)) - {'FormatCode'} == changed


def test_the_patches_can_be_printed(run):
    done = run('python', '-m', 'mcjepa_mm.compat')
    assert done.returncode == 0, done.stderr
    rows = {
        name: (needed, module)
        for name, needed, _, module in map(
            str.split, done.stdout.splitlines()[1:]
        )
    }
    assert {needed for needed, _ in rows.values()} <= {'yes', 'no'}
    assert {name: module for name, (_, module) in rows.items()} == {
        'mmcv_ext': 'mcjepa_mm',
        'torchvision_operators': 'mcjepa_mm',
        'plain_checkpoints': 'mcjepa_mm.compat.all',
        'foreign_checkpoints': 'mcjepa_mm.compat.all',
        'mmflow_hue': 'mcjepa_mm.compat.all',
        'config_text': 'mcjepa_mm.compat.all',
        'mlflow_pictures': 'mcjepa_mm.compat.all',
    }
