"""DAVIS's layout of the embedded world, as files."""

import numpy as np
from PIL import Image


def test_masks_have_the_palette_of_pascal(exported):
    base = exported('davis2017')[0] / 'DAVIS'
    # as the devkit's colour map begins
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)]
    colours += [(0, 0, 128), (128, 0, 128)]
    for path in base.glob('Annotations/480p/*/*.png'):
        with Image.open(path) as image:
            assert image.mode == 'P' and image.size == (128, 96)
            labels, shown = np.array(image), np.array(image.convert('RGB'))
        for label in np.unique(labels):
            assert (shown[labels == label] == colours[label]).all()


def test_all_objects_are_in_the_first_frame(exported):
    base = exported('davis2017')[0] / 'DAVIS'
    for folder in (base / 'Annotations/480p').iterdir():
        first, *later = (
            np.array(Image.open(path)) for path in sorted(folder.iterdir())
        )
        numbers, areas = np.unique(first, return_counts=True)
        assert numbers.tolist() == [*range(len(numbers))]
        assert len(numbers) > 1 and areas.min() >= 36
        assert all(set(np.unique(mask)) <= set(numbers) for mask in later)
        assert all((mask != first).any() for mask in later)
