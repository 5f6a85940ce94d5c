from dataclasses import replace

from mcjepa_mm.evaluation.functional.feature_findings import (
    LevelFigures,
    findings,
)

USUAL = [
    LevelFigures(i, 2 ** (i + 1), 48, 0.1, 0.0, 30.0, 48, 0.3)
    for i in range(6)
]


def changed(**levels):
    """The usual levels with figures replaced, ``name={level: value}``."""
    found = list(USUAL)
    for name, values in levels.items():
        for level, value in values.items():
            found[level] = replace(found[level], **{name: value})
    return found


def test_nothing_found():
    assert findings(USUAL, USUAL) == []
    assert findings(changed(position={5: None}), USUAL) == []


def test_each_fault_names_its_levels():
    levels = changed(
        constant={3: 0.96, 4: 0.97, 5: 0.91},
        position={0: 0.2, 2: 0.3, 3: 0.52},
        top_direction={2: 0.49},
        rank={1: 4.0, 5: 3.0},
    )
    assert findings(levels, USUAL) == [
        'levels 3 to 5 are mostly one constant vector (up to 0.97 of the '
        'energy)',
        'levels 0 and 2 to 3 code absolute position (up to 0.52 of what '
        'varies)',
        'level 2 is ruled by one direction (0.49 of the variance)',
        'levels 1 and 5 use few directions (rank 3.0 of 48 at level 5)',
    ]


def test_what_random_weights_have_too_is_no_fault():
    levels = changed(top_direction={2: 0.6}, rank={1: 4.0})
    reference = changed(top_direction={2: 0.55}, rank={1: 4.2})
    assert findings(levels, reference) == []
    assert len(findings(levels, USUAL)) == 2
