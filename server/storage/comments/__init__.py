"""Comments, their public form, their votes and their quotes."""
