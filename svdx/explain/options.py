"""Refusing numbers that an explainer cannot have, in one line that names the key."""

from __future__ import annotations

from svdx.errors import ConfigError


def expect_at_least(least: float, **options: float) -> None:
    """Raises ConfigError unless every option of the explainer is `least` or more."""
    for name, value in options.items():
        if not value >= least:
            raise ConfigError(f"explainer.{name}={value}: expected at least {least}")


def expect_positive(**options: float) -> None:
    """Raises ConfigError unless every option of the explainer is more than 0."""
    for name, value in options.items():
        if not value > 0:
            raise ConfigError(f"explainer.{name}={value}: expected more than 0")
