"""Endpoints for operators: health, readiness, metrics."""
