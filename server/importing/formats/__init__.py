"""One file for each format that discussions come in."""
