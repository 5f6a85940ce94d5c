"""The table of what tells objects of the world apart."""

import runpy

import numpy as np
import pytest

from mcjepa_mm.datasets.embedded_world import EmbeddedWorld

SCRIPT = 'tools/analysis_tools/world_ladder.py'


@pytest.fixture
def ladder(repo, monkeypatch):
    # as a script has it
    monkeypatch.syspath_prepend((repo / SCRIPT).parent)
    return runpy.run_path(repo / SCRIPT)


def test_cells_have_the_kind_of_their_only_surface(ladder):
    world = EmbeddedWorld((64, 64), seed=3, camouflage=0.5)
    scene = next(
        scene
        for scene in map(world.scene, range(99))
        if {x.camouflaged for x in scene.objects} == {True, False}
    )
    kind, motion = ladder['cells_of'](scene)
    layers, flow = scene.layers(0), scene.flow(0, 1)
    usual = [np.median(plane) for plane in flow]
    for row, column in np.ndindex(16, 16):
        cell = np.s_[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        found = set(layers[cell].ravel().tolist())
        expected = -1
        if found == {255}:
            expected = 0
        elif len(found) == 1:
            expected = 1 if scene.objects[found.pop()].camouflaged else 2
        assert kind[row, column] == expected
        away = np.hypot(*(plane[cell] - u for plane, u in zip(flow, usual)))
        assert motion[row, column] == pytest.approx(away.mean(), abs=1e-4)


def test_figure_and_ground_count_alike(ladder):
    figure = np.array([True] + [False] * 9)
    guess = np.array([True] + [False] * 6 + [True] * 3)
    accuracy = ladder['balanced_accuracy'](figure, guess)
    assert accuracy == pytest.approx(50 * (1 + 6 / 9))


@pytest.mark.slow
def test_two_scenes_and_a_clip_give_every_row(command):
    words = ['--scenes', 2, '--clips', 1, '--strides', 8, '--steps', 20]
    table = command('world_ladder', *words).stdout
    rows = [line.split('|')[1:-1] for line in table.splitlines()[2:]]
    assert len(rows) == 6
    for name, *figures, _, _ in rows:
        assert all(0 <= float(x) <= 100 for x in figures), name
