import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def read(repo, name):
    lines = (repo / 'requirements' / f'{name}.txt').read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith('#')]
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each.specifier for each in found}


@pytest.mark.parametrize(
    'name', ['runtime', 'mminstall', 'optional', 'tests', 'docs']
)
def test_requirements_are_ranges_that_hold_the_pins(repo, name):
    pins = read(repo, 'constraints')
    ranges = read(repo, name)
    for package, allowed in ranges.items():
        assert [each.operator for each in allowed] != ['=='], package
        [pin] = pins[package]
        assert pin.operator == '==', package
        assert allowed.contains(pin.version, prereleases=True), package
    # an mmcv is left to the user
    assert name == 'mminstall' or not {'mmcv', 'mmcv-lite'} & set(ranges)
