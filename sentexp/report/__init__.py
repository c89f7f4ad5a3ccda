"""Pictures, tables and pages of what was recorded: of one run in `run`, of a sweep in `sweep`."""
