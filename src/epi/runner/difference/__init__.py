"""What differs between two runs of a study: causes, results, tables, flow, figures, cells."""

from epi.runner.difference.compare import Difference, compare_runs
from epi.runner.difference.page import write_page
from epi.runner.values import Tolerance, ValueChange

__all__ = ["Difference", "Tolerance", "ValueChange", "compare_runs", "write_page"]
