"""Changes in motion: from the one writer to every reader. Knows no HTTP route and no SQL."""
