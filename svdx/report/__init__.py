"""Results as figures, HTML pages, sounds, arrays and words: functions of a result's values alone."""
