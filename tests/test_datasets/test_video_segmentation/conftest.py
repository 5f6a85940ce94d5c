"""Data sets of videos with masks, with a pipeline."""

import pytest

from mcjepa_mm.registry import DATASETS

PIPELINE = [
    dict(type='mcjepa_mm.LoadVideoFrame'),
    dict(type='mcjepa_mm.LoadObjectMask'),
    dict(type='mcjepa_mm.PackVideoFrame'),
]


@pytest.fixture
def build():
    """Function of a data set's name and arguments: frames as they are."""

    def build(name, **kwargs):
        config = dict(type=f'mcjepa_mm.{name}', pipeline=PIPELINE)
        return DATASETS.build(dict(config, **kwargs))

    return build
