"""Launchers that run each job of a sweep in another process, so that a job that dies fails alone.

Hydra imports these modules at every start, so they import the libraries that start processes only when they are used.
Besides Hydra's `launch`, each launcher has

- `width`: how many jobs it runs side by side
- `stream(jobs, at_once)`: takes the next job, its number and its overrides, when one has ended, and yields each job's
  number and result in the order in which they end. It raises CannotStart if no job can ever begin
"""
