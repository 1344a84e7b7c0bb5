"""Figures of the real server beside baselines of the same run: `python3 run.py bench [NAME ...] [--json]`.

The server is pinned to one core and the load to another; what is counted is the server's CPU time, not the clock's.
"""
