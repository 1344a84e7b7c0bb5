"""Damage done to real processes, and what became of the promises: `python3 run.py torture [--quick] [SCENARIO ...]`.

One file a scenario. Nothing here is imported by the product, and what clients hold is judged by code of its own.
"""
