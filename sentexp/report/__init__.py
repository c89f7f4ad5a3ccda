"""Pictures, tables and web pages made from what was recorded: for one run in `run`, for a sweep in `sweep`."""
