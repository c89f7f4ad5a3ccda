"""The report of a data set: on the terminal, as a page, as tables."""
