"""Pictures and pages of a finished run, made from what was measured; each picture is a function of data."""
