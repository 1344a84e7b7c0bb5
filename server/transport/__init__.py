"""Requests as they arrive: which heads are read at all, how sockets open, and uvicorn, adapted in one module."""
