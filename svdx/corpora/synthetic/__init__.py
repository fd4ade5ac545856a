"""Synthesised music with singing: a score, singers, a band and a mix, all drawn from a random generator.

`song.compose` follows a production: write the piece, arrange it, sing and play it, mix it.
"""
