"""Threads with live readers in this process: membership, delivery of changes, and requests to the source."""
