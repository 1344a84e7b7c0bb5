"""Threads, and the orders and pages in which they are read."""
