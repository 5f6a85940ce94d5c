"""What a ridge probe reads off the cells of a pretrained model's maps."""

from collections.abc import Iterator
from typing import Any


def pyramids(model, dataset, batch: int) -> Iterator[tuple]:
    """The encoder's maps of a data set's frames, batch by batch."""
    import torch

    prepare = next(iter(model.data_preprocessor.tasks.values()))
    for i in range(0, len(dataset), batch):
        chosen = range(i, min(i + batch, len(dataset)))
        views = [dataset[j]['inputs'] for j in chosen]
        yield model.extract_feat(
            prepare(dict(inputs=torch.stack(views)))['inputs']
        )


def cell_figures(
    model, *, scenes: int = 200, fit: int = 150, **world: Any
) -> dict[str, float]:
    """Balanced accuracies in per cent of a ridge probe on cells.

    Levels 2 to 5 at stride 8 of first frames; the first ``fit`` scenes to
    fit, the others to test; classes count alike.

    Args:
        model (MultiTaskPretrainer): In evaluation mode.
        scenes (int): Number of scenes.
        fit (int): How many of them the probe is fitted on.
        **world: Arguments of ``EmbeddedPairs``.

    Returns:
        dict[str, float]: ``figure_ground``, chance 50; ``object_class`` of
        the objects that have one, chance 10; and, in a world with camouflage,
        ``camouflaged``, the first with camouflaged objects alone.
    """
    import numpy as np
    import torch
    import torch.nn.functional as F

    from mcjepa_mm.datasets import EmbeddedPairs
    from mcjepa_mm.evaluation.functional import ridge_classifier, ridge_moments

    data = EmbeddedPairs(scenes, **{'seed': 2, 'split': 'val', **world})
    classes, layers, hidden = [], [], []
    for i in range(scenes):
        scene = data.world.scene(i)
        table = np.zeros(256, bool)
        table[: len(scene.objects)] = [s.camouflaged for s in scene.objects]
        classes.append(scene.class_mask(0))
        layers.append(scene.instance_mask(0))
        hidden.append(table[scene.layers(0)])
    labels, figure, hidden = (
        torch.from_numpy(np.stack(x)[:, 4::8, 4::8]).flatten(1).long()
        for x in (classes, np.stack(layers) > 0, hidden)
    )
    cells = []
    # one frame is enough
    for feats in pyramids(model, FirstFrames(data), 25):
        size = feats[2].shape[-2:]
        grid = [
            F.interpolate(x, size, mode='bilinear', align_corners=False)
            for x in feats[2:]
        ]
        cells.append(torch.cat(grid, 1).flatten(2).movedim(1, 2))
    cells = torch.cat(cells).double()

    def probe(target, kept):
        (x, y), (queries, truth) = (
            (cells[part][kept[part]], target[part][kept[part]])
            for part in (slice(fit), slice(fit, None))
        )
        weights = (1 / y.bincount().double())[y]  # classes count alike
        moments = ridge_moments(x, y, int(y.max()) + 1, weights=weights)
        weight, bias = ridge_classifier(moments, 1e-2)
        found = (queries @ weight + bias).argmax(1)
        right = [(found[truth == c] == c).double().mean() for c in y.unique()]
        return round(100 * torch.stack(right).mean().item(), 2)

    figures = dict(
        figure_ground=probe(figure, labels >= 0),
        object_class=probe(labels - 1, labels > 0),
    )
    if world.get('camouflage'):
        figures['camouflaged'] = probe(figure, (figure == 0) | (hidden == 1))
    return figures


class FirstFrames:
    """Samples of one view, the first frame of each pair's scene."""

    def __init__(self, pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict:
        import torch

        frame = self.pairs.world.scene(index).frame(0).transpose(2, 0, 1)
        return dict(inputs=torch.from_numpy(frame.copy())[None])
