"""What people write: cleaned, rendered to safe HTML, quoted, linked, compared. Knows no database."""
