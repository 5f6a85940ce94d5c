"""mmcv's PSAMask without compiled operators, against loops."""

import pytest
import torch

from mcjepa_mm.compat import mmcv_ext

pytestmark = pytest.mark.skipif(
    not mmcv_ext.needed(),
    reason='the mmcv installed here has its compiled half',
)

TYPES = ['collect', 'distribute']
# Of the mask, of the map: the mask is smaller and larger than the map, and
# covers all of it from everywhere; with an even size it has no middle.
SIZES = [
    ((3, 3), (4, 5)),
    ((5, 1), (3, 4)),
    ((7, 9), (4, 5)),
    ((9, 11), (2, 3)),
    ((4, 2), (3, 5)),
]


def build(*options):
    # This package's mend comes before mmcv.ops is imported.
    from mmcv.ops import PSAMask

    return PSAMask(*options)


def masks(mask_size, size, dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(2, mask_size[0] * mask_size[1], *size, dtype=dtype)


def psamask_by_loops(x, psa_type, mask_size):
    """Lay every mask over the map, one number at a time."""
    n, _, h, w = x.shape
    rows, columns = mask_size
    out = x.new_zeros(n, h, w, h, w)  # looked at, owner
    for k in range(n):
        for y in range(h):
            for x_own in range(w):
                for i in range(rows):
                    for j in range(columns):
                        y2 = y + i - (rows - 1) // 2
                        x2 = x_own + j - (columns - 1) // 2
                        if not (0 <= y2 < h and 0 <= x2 < w):
                            continue
                        value = x[k, i * columns + j, y, x_own]
                        if psa_type == 'collect':
                            out[k, y2, x2, y, x_own] = value
                        else:
                            out[k, y, x_own, y2, x2] = value
    return out.view(n, h * w, h, w)


@pytest.mark.parametrize('psa_type', TYPES)
@pytest.mark.parametrize('mask_size, size', SIZES, ids=str)
def test_equals_loops(psa_type, mask_size, size):
    x = masks(mask_size, size)
    out = build(psa_type, mask_size)(x)
    assert torch.equal(out, psamask_by_loops(x, psa_type, mask_size))


def test_hand_worked():
    """The mask of the corner looks to the right, at its neighbour."""
    x = torch.zeros(1, 9, 2, 3)
    right = 1 * 3 + 2
    x[0, right, 0, 0] = 5
    left = 1 * 3 + 0
    x[0, left, 0, 0] = 7  # beside the map
    collect = build('collect', (3, 3))(x)
    assert collect[0, 1, 0, 0] == 5 and collect.count_nonzero() == 1
    distribute = build('distribute', (3, 3))(x)
    assert distribute[0, 0, 0, 1] == 5 and distribute.count_nonzero() == 1


@pytest.mark.parametrize('psa_type', TYPES)
@pytest.mark.parametrize('mask_size, size', SIZES, ids=str)
def test_gradcheck(psa_type, mask_size, size):
    x = masks(mask_size, size)[:1].requires_grad_()
    assert torch.autograd.gradcheck(build(psa_type, mask_size), (x,))


def test_what_lies_beside_the_map_is_not_read():
    x = masks((3, 3), (2, 3), torch.float32)
    beside = torch.zeros_like(x, dtype=torch.bool)
    beside[:, :3, 0] = True
    out = build('collect', (3, 3))(x.masked_fill(beside, float('nan')))
    assert torch.equal(out, build('collect', (3, 3))(x))
    assert out.dtype == torch.float32


@pytest.mark.parametrize('psa_type', [*TYPES, 'bi-direction'])
def test_head_of_mmseg_learns(psa_type):
    """Forward and backward through the head, and the sums by hand."""
    from mmseg.models.decode_heads import PSAHead

    torch.manual_seed(0)
    head = PSAHead(
        mask_size=(5, 7),
        psa_type=psa_type,
        shrink_factor=2,
        normalization_factor=1.0,
        psa_softmax=True,
        in_channels=4,
        channels=6,
        num_classes=3,
    )
    x = torch.randn(2, 4, 8, 10, requires_grad=True)
    out = head([x])
    assert out.shape == (2, 3, 8, 10)
    out.square().mean().backward()
    assert x.grad.abs().min() > 0
    attentions = [head.attention]
    if psa_type == 'bi-direction':
        attentions.append(head.attention_p)
    for attention in attentions:
        grad = attention[-1].weight.grad
        assert grad.isfinite().all() and grad.abs().sum() > 0


@pytest.mark.parametrize('psa_type', TYPES)
def test_head_weights_features_by_the_masks(psa_type):
    """What the head sums up, from every position's own mask."""
    from mmseg.models.decode_heads import PSAHead

    torch.manual_seed(0)
    head = PSAHead(
        mask_size=(5, 5),
        psa_type=psa_type,
        shrink_factor=1,
        psa_softmax=False,
        in_channels=2,
        channels=2,
        num_classes=2,
    ).eval()
    x = torch.randn(1, 2, 3, 3)
    given = []
    head.proj.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    with torch.no_grad():
        head([x])
        feat = head.reduce(x)[0]
        mask = head.attention(head.reduce(x))[0].view(5, 5, 3, 3)
    expected = torch.zeros(2, 3, 3)
    for y in range(3):
        for z in range(3):
            for y2 in range(3):
                for z2 in range(3):
                    weight = mask[y2 - y + 2, z2 - z + 2, y, z]
                    if psa_type == 'collect':
                        expected[:, y, z] += weight * feat[:, y2, z2]
                    else:
                        expected[:, y2, z2] += weight * feat[:, y, z]
    torch.testing.assert_close(given[0][0], expected)


def test_torch_is_imported_by_the_call(run):
    done = run(
        'python',
        '-c',
        'import sys\n'
        'from types import ModuleType\n'
        'from mcjepa_mm.compat import mmcv_ext\n'
        'module = ModuleType("mmcv._ext")\n'
        'mmcv_ext._StandInLoader().exec_module(module)\n'
        'print(module.psamask_forward.__name__, "torch" in sys.modules)',
    )
    assert done.stdout.split() == ['psamask_forward', 'False'], done.stderr
