"""Threads as files: the staging area of imports, and the reading side of exports."""
