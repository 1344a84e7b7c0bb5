"""A picture as it was uploaded, made into a square WebP without metadata. Runs as a process, for one picture.

Whatever a file does to the decoders, it does to that process alone, which has bounds on its memory and its time, and
writes to no file. Knows no account.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import warnings
from pathlib import Path

# The formats are known from the beginning, so that no others are looked for.
from PIL import Image, ImageCms, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401

from server.pictures import MOST_PIXELS, NO_PICTURE, TOO_MANY_PIXELS

SIDE = 128
QUALITY = 82
WHITE = (255, 255, 255)
MAX_MEMORY_BYTES = 768 * 1024 * 1024
MAX_CPU_SECONDS = 10
ORIENTATION = 0x0112
# Pillow refuses twice as many, where it has to know before it opens one.
Image.MAX_IMAGE_PIXELS = max(MOST_PIXELS.values()) // 2
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def square(content: bytes) -> bytes:
    """Return the middle of the picture as a WebP of 128 by 128 pixels, upright, in sRGB, on white.

    The same bytes for the same content. Raises DecompressionBombError; any other error means that it is no picture.
    """
    with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as opened:
        if opened.width * opened.height > MOST_PIXELS[opened.format or ""]:
            raise Image.DecompressionBombError
        opened.draft(None, (2 * SIDE, 2 * SIDE))
        # Of several the first. What is cut off raises an error here.
        opened.load()
        turn, profile = _turn(opened), opened.info.get("icc_profile")
        small = _in_srgb(_middle(opened), profile)
    if turn is not None:
        small = small.transpose(turn)
    # What an image knows beside its pixels would be written too: a new one knows nothing.
    bare = Image.frombytes("RGB", small.size, small.tobytes())
    written = io.BytesIO()
    bare.save(written, "WEBP", quality=QUALITY, method=6)
    return written.getvalue()


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what makes the image upright, by its EXIF, of which cameras write much that is wrong."""
    with contextlib.suppress(Exception):
        return _TURNS.get(image.getexif()[ORIENTATION])
    return None


def _middle(image: Image.Image) -> Image.Image:
    """Return the square in the middle of the image, small, as RGB or CMYK."""
    if image.mode in ("P", "PA", "1", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode.startswith("I;16"):
        image = image.convert("I")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    small = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    if small.mode == "RGBA":
        ground = Image.new("RGB", small.size, WHITE)
        ground.paste(small, mask=small)
        return ground
    if small.mode == "I":
        # Of 16 bits 8.
        small = small.point(lambda value: value * (1 / 257)).convert("L")
    return small if small.mode == "CMYK" else small.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image in sRGB; without a profile that can be used, as if it were in it."""
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            turned = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if turned is not None:
                return turned
    return image.convert("RGB")


def outcome(content: bytes) -> tuple[int, bytes]:
    """Return 0 and the square, or why there is none."""
    try:
        return 0, square(content)
    except Image.DecompressionBombError:
        return TOO_MANY_PIXELS, b""
    except Exception:  # noqa: BLE001 — decoders raise errors of all kinds
        return NO_PICTURE, b""


def main() -> int:
    os.nice(10)
    with contextlib.suppress(OSError):
        # Where memory runs short, this process is the one that can be missed.
        Path("/proc/self/oom_score_adj").write_text("1000")
    for what, most in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # Not every system knows a bound on addresses.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    warnings.simplefilter("ignore")
    status, made = outcome(sys.stdin.buffer.read())
    sys.stdout.buffer.write(made)
    return status


if __name__ == "__main__":
    sys.exit(main())
