"""Launchers that run the jobs of a sweep in processes of their own, so that a job that dies costs itself alone.

Hydra imports these modules at every start: what starts the processes is imported only when a launcher is used. Each
tells by `width` how many jobs it runs side by side. Besides Hydra's `launch` each has `stream`, which takes the next
job when one has ended, and gives each job's place and result in the order in which they end.
"""
