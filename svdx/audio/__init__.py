"""From audio files to samples and log-mel, and from a mask over a log-mel back to sound."""
