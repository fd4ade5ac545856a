"""Audio files to samples and log-mel, and masks over a log-mel back to sound."""
