import torch
import torch.nn.functional as F

from mcjepa_mm.models.propagation import ColorReader


def test_cells_are_colours_and_a_constant():
    torch.manual_seed(0)
    colors = torch.rand(2, 3, 4, 6)
    reader = ColorReader(levels='all', stride=8)
    cells = reader.read_cells(colors, (32, 48), [True, False])
    for frame, given in zip(cells, colors, strict=True):
        assert not frame.coarse
        both = torch.cat([given, torch.ones(1, 4, 6)]).permute(1, 2, 0)
        expected = F.normalize(both, dim=-1)
        torch.testing.assert_close(frame.fine, expected)
