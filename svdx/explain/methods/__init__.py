"""The explanation methods, one file each."""
