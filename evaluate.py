"""Explanation loss against relative area, over thresholds or over areas: curve.csv and curve.png."""

from svdx.app.shell import run

if __name__ == "__main__":
    run(__file__)
