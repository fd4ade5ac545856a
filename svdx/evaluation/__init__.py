"""How good explanations are: explanation loss against relative area."""
