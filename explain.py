"""Which part of an excerpt of an audio file made the classifier decide as it did: pictures, arrays, sound, a page."""

from svdx.app.shell import run

if __name__ == "__main__":
    run(__file__)
