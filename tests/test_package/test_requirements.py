import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RANGES = ['runtime', 'mminstall', 'optional', 'tests']


def read(repo, name):
    lines = (repo / 'requirements' / f'{name}.txt').read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith('#')]
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each.specifier for each in found}


def is_pin(specifier):
    return [each.operator for each in specifier] == ['==']


@pytest.mark.parametrize('name', RANGES)
def test_requirements_are_ranges_that_hold_the_pins(repo, name):
    pins = read(repo, 'constraints')
    for package, allowed in read(repo, name).items():
        assert not is_pin(allowed), package
        [pin] = pins[package]
        assert allowed.contains(pin.version, prereleases=True), package


def test_constraints_are_pins(repo):
    for package, specifier in read(repo, 'constraints').items():
        assert is_pin(specifier), package


@pytest.mark.parametrize('name', ['runtime', 'optional'])
def test_an_mmcv_is_left_to_the_user(repo, name):
    assert not {'mmcv', 'mmcv-lite'} & set(read(repo, name))
