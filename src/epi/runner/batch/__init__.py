"""Batches: many runs of one study, told apart by their parameters."""

from epi.runner.batch.course import BatchCourse, Outcome, run_batch
from epi.runner.batch.definition import Batch, Job, read_batch
from epi.runner.batch.summary import write_summary

__all__ = ["Batch", "BatchCourse", "Job", "Outcome", "read_batch", "run_batch", "write_summary"]
