"""The report of a sweep. Each picture is a function of the sweep's results."""
