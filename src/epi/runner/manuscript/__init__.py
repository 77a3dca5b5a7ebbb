"""A paper's text whose numbers come from a run: filled from what the gate released, and checked against it.

A placeholder names a released value and how it prints; it holds no code. What is filled keeps a
mark around it and a record of its run, so that a later reading tells what was typed over, what is
of another run, and what the run would print now.
"""

from epi.runner.manuscript.check import Check, check_manuscript
from epi.runner.manuscript.fill import Filling, fill_manuscript
from epi.runner.manuscript.placeholder import Placeholder, read_placeholder
from epi.runner.manuscript.values import Value, Values, read_values

__all__ = [
    "Check",
    "Filling",
    "Placeholder",
    "Value",
    "Values",
    "check_manuscript",
    "fill_manuscript",
    "read_placeholder",
    "read_values",
]
