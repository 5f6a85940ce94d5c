"""The table of real_evaluation: a row for each arm, means over its seeds."""

from collections import defaultdict
from statistics import mean, stdev


def figures_of(record: dict) -> dict[str, float]:
    """The figures of a record by the names of columns."""
    figures = {}
    for key, value in record.items():
        if key.startswith('images/'):
            for name in ('knn_last', 'knn_all', 'ridge_last', 'ridge_all'):
                figures[f'{key[7:]} {name}'] = value[name]
    if 'segmentation' in record:
        figures['mIoU'] = record['segmentation']['miou']
        figures['mIoU large'] = record['segmentation']['miou_large']
    for name, clips in record.get('davis', {}).items():
        scores = [clip['JF'] for clip in clips.values()]
        figures[f'J&F {name}'] = mean(scores)
    if 'middlebury' in record:
        pairs = record['middlebury'].values()
        figures['EPE'] = mean(pair['epe'] for pair in pairs)
        ratios = [pair['epe'] / pair['zero'] for pair in pairs]
        figures['EPE / zero'] = mean(ratios)
    return figures


def real_table(records: list[dict]) -> str:
    """Markdown: accuracies, mIoU and J&F in per cent, EPE in pixels."""
    arms: dict[str, list[dict[str, float]]] = defaultdict(list)
    for record in records:
        arms[record['arm']].append(figures_of(record))
    names = dict.fromkeys(
        name for found in arms.values() for one in found for name in one
    )
    # figures down and arms across: there are many figures
    heads = ' | '.join(f'{arm} (n = {len(x)})' for arm, x in arms.items())
    lines = [f'| | {heads} |', '| --- |' + ' --- |' * len(arms)]
    for name in names:
        digits = 3 if name.startswith('EPE') else 2
        cells = []
        for found in arms.values():
            values = [x[name] for x in found if name in x]
            cell = f'{mean(values):.{digits}f}' if values else ''
            if len(values) > 1:
                cell += f' ± {stdev(values):.{digits}f}'
            cells.append(cell)
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)
