"""What necks and heads say of the channels that they read."""

import pytest

from mcjepa_mm.swap import SwapError
from mcjepa_mm.swap.measure import Map
from mcjepa_mm.swap.readers import adapt_head, adapt_neck

OLD = [Map(64, 4), Map(128, 8), Map(256, 16), Map(512, 32)]
NEW = [Map(10, 4), Map(20, 8), Map(30, 16), Map(40, 32)]


@pytest.mark.parametrize(
    'head, expected',
    [
        (dict(in_channels=512), 40),  # the last map, unless it says another
        (dict(in_channels=256, in_index=2), 30),
        (dict(in_channels=256, in_index=-2), 30),
        (dict(in_channels=[64, 128, 256, 512]), [10, 20, 30, 40]),
        (dict(in_channels=(64, 512), in_index=(0, 3)), (10, 40)),
    ],
)
def test_head(head, expected):
    head = dict(head, type='Head')
    given = dict(head)
    found, (row,) = adapt_head(head, 'decode_head', OLD, NEW)
    assert head == given  # left as it was
    assert found == dict(head, in_channels=expected)
    assert type(found['in_channels']) is type(expected)
    assert row.part == 'decode_head' and row.kind == 'Head'


def test_classifier_without_convolutions_is_as_wide_as_its_maps():
    head = dict(
        type='FCNHead', in_channels=[64, 128], in_index=[0, 1], num_convs=0,
        channels=192,
    )  # fmt: skip
    found, _ = adapt_head(head, 'decode_head', OLD, NEW)
    assert found['channels'] == 30


def test_head_that_reads_the_finest_map_too():
    head = dict(type='SepASPP', in_channels=512, c1_in_channels=64)
    found, (row,) = adapt_head(head, 'decode_head', OLD, NEW)
    assert (found['in_channels'], found['c1_in_channels']) == (40, 10)
    assert row.new == [NEW[0], NEW[3]]


def test_head_in_a_head():
    head = dict(
        type='IterativeDecodeHead',
        kernel_generate_head=dict(type='X', in_channels=512, in_index=3),
        kernel_update_head=[dict(type='Y', in_channels=512)],
    )
    found, (row,) = adapt_head(head, 'decode_head', OLD, NEW)
    assert found['kernel_generate_head']['in_channels'] == 40
    # its own width, and not that of a map
    assert found['kernel_update_head'][0]['in_channels'] == 512
    assert row.part == 'decode_head.kernel_generate_head'


@pytest.mark.parametrize(
    'head, message',
    [
        (dict(in_channels=100), '100 channels'),
        (dict(in_channels=512, in_index=4), 'in_index=4'),
        (dict(in_channels=512, c1_in_channels=65), 'c1_in_channels=65'),
    ],
)
def test_head_that_contradicts_its_maps(head, message):
    with pytest.raises(SwapError, match=message):
        adapt_head(dict(head, type='Head'), 'decode_head', OLD, NEW)


@pytest.mark.parametrize(
    'given, expected',
    [
        ([64, 128, 256, 512], [10, 20, 30, 40]),
        ((64, 128, 256, 512), (10, 20, 30, 40)),
        ([512, 256, 128, 64], [40, 30, 20, 10]),  # YOLO's order
    ],
)
def test_neck(given, expected):
    neck, row = adapt_neck(dict(type='N', in_channels=given), OLD, NEW)
    assert neck == dict(type='N', in_channels=expected)
    assert row.old == OLD and row.new == NEW


def test_neck_of_one_map():
    neck, _ = adapt_neck(dict(type='N', in_channels=512), OLD[-1:], NEW[-1:])
    assert neck['in_channels'] == 40


def test_neck_that_contradicts_its_maps():
    with pytest.raises(SwapError, match='N'):
        adapt_neck(dict(type='N', in_channels=[1, 2]), OLD, NEW)
