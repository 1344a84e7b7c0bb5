"""Carrying messages between processes: the contract, and one file for each way. Fast, and at most once."""
