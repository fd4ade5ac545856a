"""What is logged while training and evaluating, beside the numbers that the modules log themselves.

All of it lies in files beside the run; W&B, where it is asked for, shows the same.
"""

from svdx.callbacks.evaluation import explain_examples, log_evaluation, shown_threshold
from svdx.callbacks.finite import StopWhenNotFinite
from svdx.callbacks.resuming import SaveWhenTerminated, StepSeed
from svdx.callbacks.training import EpochLines, ExplainValidation, LearningRate

__all__ = [
    "EpochLines",
    "ExplainValidation",
    "LearningRate",
    "SaveWhenTerminated",
    "StepSeed",
    "StopWhenNotFinite",
    "explain_examples",
    "log_evaluation",
    "shown_threshold",
]
