"""Every patch is applied when this module is imported.

For ``custom_imports`` in the config of another project, whose own commands
run it.
"""

from mcjepa_mm.compat import apply_all

apply_all()
