"""``python -m mcjepa_mm.compat``: what is patched in this environment."""

from mcjepa_mm.compat import report

if __name__ == '__main__':
    print(report())
