"""Lightning callbacks of a training (see conf/callbacks), and what the loggers show of an evaluation.

Everything lies in files beside the run. W&B, TensorBoard and MLflow, where configured, show the same.
"""

from svdx.callbacks.evaluation import explain_examples, log_evaluation, shown_threshold
from svdx.callbacks.finite import StopWhenNotFinite
from svdx.callbacks.progress import EpochLines, LearningRate
from svdx.callbacks.resuming import LastCheckpoint, StepSeed
from svdx.callbacks.validation import ExplainValidation

__all__ = [
    "EpochLines",
    "ExplainValidation",
    "LastCheckpoint",
    "LearningRate",
    "StepSeed",
    "StopWhenNotFinite",
    "explain_examples",
    "log_evaluation",
    "shown_threshold",
]
