"""HTML pages, feeds and avatars, which need no script."""
