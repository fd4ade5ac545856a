"""What every command needs: pipeline, checks of the configuration, run directory, loggers, sweeps, shell."""
