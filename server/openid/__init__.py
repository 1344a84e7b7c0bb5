"""OpenID Connect 1.0 as a client: what providers state is read and doubted here. Knows no account and no page."""
