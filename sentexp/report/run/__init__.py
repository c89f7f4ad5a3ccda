"""The report of one run. Each picture is a function of arrays."""
