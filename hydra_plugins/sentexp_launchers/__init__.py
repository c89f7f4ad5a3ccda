"""Launchers that run the jobs of a sweep in processes of their own, so that a job that dies costs itself alone.

Hydra imports these modules at every start: what starts the processes is imported only when a launcher is used. Each
tells by `width` how many jobs it runs side by side.
"""
