"""Pictures of people: any PNG, JPEG or WebP becomes a small square one, in a process that ends with it."""

MAX_BYTES = 5 * 1024 * 1024
# A JPEG is decoded at an eighth of its size, the others in full: four bytes for a pixel, several times.
MOST_PIXELS = {"JPEG": 50_000_000, "MPO": 50_000_000, "PNG": 16_777_216, "WEBP": 16_777_216}
# With what status the process says why there is none.
NO_PICTURE, TOO_MANY_PIXELS = 3, 4
