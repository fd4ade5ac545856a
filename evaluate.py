"""Explanation loss against relative area over the thresholds: curve.csv and curve.png."""

from svdx.shell import run

if __name__ == "__main__":
    run(__file__)
