"""Storage for background work: jobs in steps, and the erasure of text from the file."""
