"""The database file: its one writer, its readers, its shape, and copies of it. Knows no table."""
