"""What leaves with the numbers: the released figures and tables of a run, in the formats journals ask for.

Nothing is drawn or computed here. Files are those that the gate released, verified against its
record; workbooks and Word tables hold the cells of the released CSV, and nothing else.
"""

from epi.runner.export.bundle import Bundle, Output, open_bundle
from epi.runner.export.numbers import write_interval, write_number, write_p_value, write_percent
from epi.runner.export.write import Export, export_run

__all__ = [
    "Bundle",
    "Export",
    "Output",
    "export_run",
    "open_bundle",
    "write_interval",
    "write_number",
    "write_p_value",
    "write_percent",
]
