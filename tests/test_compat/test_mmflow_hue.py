import colorsys

import numpy as np
import pytest

from mcjepa_mm.compat import mmflow_hue


@pytest.mark.slow
def test_mmflows_jitter_fails_without_the_patch_and_not_with_it(run):
    if not mmflow_hue.needed():
        pytest.skip('np.int exists here, or there is no mmflow')
    jitter = (
        'import numpy as np\n'
        'from mmflow.datasets.transforms import ColorJitter\n'
        'img = np.zeros((4, 4, 3), np.uint8)\n'
        'img[..., 2] = 200\n'
        'jitter = ColorJitter(hue=(0.3, 0.3))\n'
        'print(jitter(dict(img1=img, img2=img))["img1"][0, 0])\n'
    )
    # mmflow cannot be imported without the patch of mmcv
    plain = run('python', '-c', 'import mcjepa_mm\n' + jitter)
    assert "has no attribute 'int'" in plain.stderr

    patched = run('python', '-c', 'import mcjepa_mm.compat.all\n' + jitter)
    assert patched.returncode == 0, patched.stderr
    assert patched.stdout.split() != ['[', '0', '0', '200]']


@pytest.mark.parametrize('turn', [-0.5, -0.25, 0.1, 0.5])
def test_equals_the_turned_hue(turn):
    """Against Python's colorsys, to the byte's half degrees."""
    rng = np.random.default_rng(0)
    img = rng.integers(40, 216, (1, 50, 3), dtype=np.uint8)
    result = mmflow_hue.adjust_hue(img, turn)
    for before, after in zip(img[0], result[0]):
        hue, saturation, value = colorsys.rgb_to_hsv(*before[::-1] / 255)
        rgb = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
        assert np.abs(after[::-1] - 255 * np.array(rgb)).max() < 6


def test_none_changes_nothing():
    img = np.full((2, 2, 3), 7, np.uint8)
    assert mmflow_hue.adjust_hue(img, None) is img
