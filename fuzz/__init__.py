"""Fuzzing: damaged and hostile files must end in a result or in one of svdx's own errors."""
