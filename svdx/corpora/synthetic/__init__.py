"""Music with singing from nothing but a random generator: a score, singers, a band, a mix.

`song.compose` reads from top to bottom as a production does: write the piece, arrange it, sing and play it, mix it.
"""
