"""Discussions from elsewhere: one file per foreign format, and one that loads what they read."""
