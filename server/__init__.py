"""The livethread server: storage, the actions that change it, and the web."""
