"""The livethread server: storage, the actions that change it, and the web."""

__version__ = "0.2.0.dev0"
