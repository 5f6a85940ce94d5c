"""``python -m mcjepa_mm.compat``: what was mended in this environment."""

from mcjepa_mm.compat import report

if __name__ == '__main__':
    print(report())
