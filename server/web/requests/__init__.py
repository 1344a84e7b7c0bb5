"""What every request passes through: sessions, origins, schemas, queueing and errors."""
