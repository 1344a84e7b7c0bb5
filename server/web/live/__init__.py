"""Endpoints for connected readers and gateways: the WebSocket and the poll."""
