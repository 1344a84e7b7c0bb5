"""Looks for what is wrong around livethread, and says it in words. Changes nothing."""
