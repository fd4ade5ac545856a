"""Evaluation of explanations: explanation loss against relative area."""
