"""Accounts: sessions, login attempts, visits and notices."""
