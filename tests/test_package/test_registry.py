import pytest
from mmengine.registry import Registry

from mcjepa_mm import registry

REGISTRIES = {
    name: value
    for name, value in vars(registry).items()
    if isinstance(value, Registry)
}


@pytest.mark.parametrize('name', REGISTRIES)
def test_registries_are_children_with_a_location(name):
    child = REGISTRIES[name]
    assert child.scope == 'mcjepa_mm'
    assert child.parent is getattr(registry.root, name)
    child.import_from_location()
    assert child._imported and child._locations


def test_a_type_is_found_by_its_scope_alone(run):
    done = run(
        'python',
        '-c',
        'import sys\n'
        'from mmengine.registry import MODELS\n'
        "print(MODELS.get('mcjepa_mm.MCJEPAConvNeXt').__module__)\n"
        "print({'mmcv', 'mmflow', 'mmpretrain', 'mmseg'} & {*sys.modules})\n",
    )
    assert done.returncode == 0, done.stderr
    module, others = done.stdout.splitlines()
    assert module.startswith('mcjepa_mm.models.backbones.')
    assert others == 'set()'
