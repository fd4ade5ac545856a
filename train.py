"""Train the inverter of a corpus (model=inverter) or its classifier (model=svdnet); prerequisites are made first."""

from svdx.app.shell import run

if __name__ == "__main__":
    run(__file__)
