"""Damaged and hostile files, many of them: each must end in a result or in one of svdx's own errors."""
