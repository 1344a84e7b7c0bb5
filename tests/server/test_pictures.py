"""Uploaded pictures become small squares without metadata, and nothing that a file does reaches further."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from server.errors import Invalid, Unavailable
from server.pictures import MAX_BYTES, NO_PICTURE, TOO_MANY_PIXELS, process
from server.pictures.process import Pictures
from server.pictures.square import outcome, square

RED, BLUE, GREEN = (220, 30, 30), (30, 30, 220), (20, 140, 30)


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **more)
    return written.getvalue()


def halves(mode: str = "RGB", size: tuple[int, int] = (400, 300)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


def seen(small: bytes, x: int = 64, y: int = 64) -> tuple[int, ...]:
    with Image.open(io.BytesIO(small), formats=["WEBP"]) as image:
        assert image.size == (128, 128)
        pixel = image.convert("RGB").getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


def is_like(pixel: tuple[int, ...], colour: tuple[int, ...]) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(pixel, colour, strict=True))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *more: bytes) -> bytes:
    """Return a PNG that says it has this size, and has no more than a row of it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


def webp(width: int, height: int) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    content = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", len(content)) + content


GOOD = {
    "a JPEG": encoded(halves(), "JPEG"),
    "a PNG": encoded(halves(), "PNG"),
    "a WebP": encoded(halves(), "WEBP"),
    "a WebP without loss": encoded(halves(), "WEBP", lossless=True),
    "of a palette": encoded(halves("P"), "PNG"),
    "with transparency": encoded(halves("RGBA"), "PNG"),
    "for print": encoded(halves("CMYK"), "JPEG"),
    "in several scans": encoded(halves(), "JPEG", progressive=True),
    "larger than it is shown": encoded(halves(size=(3000, 2000)), "JPEG"),
    "small": encoded(halves(size=(4, 2)), "PNG"),
    "with a thumbnail": encoded(halves(), "MPO", save_all=True, append_images=[Image.new("RGB", (400, 300), GREEN)]),
    "that moves": encoded(halves(), "WEBP", save_all=True, append_images=[Image.new("RGB", (400, 300), GREEN)]),
    "as a PNG that moves": encoded(halves(), "PNG", save_all=True, append_images=[Image.new("RGB", (400, 300), GREEN)]),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_middle_of_a_picture_is_kept(name: str) -> None:
    small = square(GOOD[name])
    assert is_like(seen(small, 20), RED)
    assert is_like(seen(small, 108), BLUE)
    assert square(GOOD[name]) == small
    assert len(small) < 4096


def test_what_shows_through_is_white_and_sixteen_bits_are_as_bright() -> None:
    assert is_like(seen(square(encoded(Image.new("LA", (9, 9), (0, 0)), "PNG"))), (255, 255, 255))
    assert is_like(seen(square(encoded(Image.new("I;16", (9, 9), 40_000), "PNG"))), (155, 155, 155))
    assert is_like(seen(square(encoded(Image.new("1", (1, 1), 1), "PNG"))), (255, 255, 255))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_is_upright_however_the_camera_was_held(turn: int) -> None:
    corner = Image.new("RGB", (400, 400), RED)
    corner.paste(BLUE, (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = turn
    small = square(encoded(corner, "JPEG", exif=exif))
    at = {
        1: (20, 20),
        2: (108, 20),
        3: (108, 108),
        4: (20, 108),
        5: (20, 20),
        6: (108, 20),
        7: (108, 108),
        8: (20, 108),
    }
    assert is_like(seen(small, *at[turn]), BLUE)
    assert [is_like(seen(small, x, y), BLUE) for x in (20, 108) for y in (20, 108)].count(True) == 1


def test_nothing_but_the_pixels_is_left() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET camera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRET words", zip=True)
    text.add_itxt("XML:com.adobe.xmp", "SECRET xmp")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for content in (
        encoded(halves(), "JPEG", exif=exif, icc_profile=profile, comment=b"SECRET", xmp=b"SECRET") + b"<script>SECRET",
        encoded(halves(), "PNG", exif=exif, icc_profile=profile, pnginfo=text) + b"PK\x03\x04SECRET",
        encoded(halves(), "WEBP", exif=exif, icc_profile=profile, xmp=b"SECRET"),
    ):
        small = square(content)
        assert is_like(seen(small, 20), RED)
        # One chunk of pixels, and nothing before or after it.
        assert small[:16] == b"RIFF" + struct.pack("<I", len(small) - 8) + b"WEBPVP8 "
        assert struct.unpack("<I", small[16:20])[0] in (len(small) - 20, len(small) - 21)
        assert b"SECRET" not in small


def test_colours_are_seen_by_their_profile_and_a_bad_profile_is_no_fault() -> None:
    plain = encoded(Image.new("RGB", (64, 64), (120, 200, 40)), "PNG")
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"\x00" * 200, b"not a profile", lab):
        assert square(encoded(Image.new("RGB", (64, 64), (120, 200, 40)), "PNG", icc_profile=profile)) == square(plain)


BOMB = zlib.compress(bytes(80_000_000), 9)
LARGE = {
    "a PNG of 60,000 by 60,000": png(60_000, 60_000),
    "a PNG of more than it may": png(4097, 4096),
    "a WebP of 16,383 by 16,383": webp(16_383, 16_383),
    "a JPEG of 65,535 by 65,535": GOOD["a JPEG"].replace(
        struct.pack(">HH", 300, 400), struct.pack(">HH", 65_535, 65_535), 1
    ),
}
HOSTILE = LARGE | {
    "nothing": b"",
    "a page": b"<!doctype html><script>alert(1)</script>",
    "a page that begins as a PNG": b"\x89PNG\r\n\x1a\n<!doctype html><script>alert(1)</script>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "GIF": encoded(halves("P"), "GIF"),
    "GIF and script": b"GIF89a=1;alert(1);//",
    "TIFF": encoded(halves(), "TIFF"),
    "BMP": encoded(halves(), "BMP"),
    "an icon": encoded(halves(), "ICO"),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(w) (file) run\n",
    "a PNG cut off": GOOD["a PNG"][:-300],
    "a JPEG cut off": GOOD["a JPEG"][: len(GOOD["a JPEG"]) // 2],
    "a WebP cut off": GOOD["a WebP"][:-200],
    "a WebP with a broken chunk": GOOD["a WebP"][:16] + b"\xff\xff\xff\x7f" + GOOD["a WebP"][20:],
    "a WebP of no pixels": webp(9, 9),
    "a PNG without pixels": png(64, 64),
    "a PNG with a wrong checksum": GOOD["a PNG"].replace(b"IHDR", b"IHDr", 1),
    "a bomb in a text": png(1, 1, chunk(b"zTXt", b"Comment\0\0" + BOMB)),
    "a bomb in a profile": png(1, 1, chunk(b"iCCP", b"icc\0\0" + BOMB)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_picture_is_none(name: str) -> None:
    assert outcome(HOSTILE[name]) == (TOO_MANY_PIXELS if name in LARGE else NO_PICTURE, b"")


def test_a_picture_of_one_pixel_is_one() -> None:
    assert outcome(png(1, 1))[0] == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SVG", "error.no_picture"),
        ("a bomb in a profile", "error.no_picture"),
        ("a PNG of 60,000 by 60,000", "error.picture_pixels"),
        ("a WebP of 16,383 by 16,383", "error.picture_pixels"),
    ],
)
async def test_a_refusal_names_the_field_and_says_why(name: str, text: str) -> None:
    with pytest.raises(Invalid) as raised:
        await Pictures().small(HOSTILE[name])
    assert (raised.value.field, raised.value.text, raised.value.status) == ("picture", text, 422)


async def test_the_process_gives_the_same_bytes_for_each_of_several_at_once() -> None:
    pictures = Pictures()
    jobs = [pictures.small(GOOD[name]) for name in ("a JPEG", "a PNG", "larger than it is shown")]
    assert await asyncio.gather(*jobs) == [square(GOOD[n]) for n in ("a JPEG", "a PNG", "larger than it is shown")]


async def test_more_than_may_wait_are_told_to_come_again() -> None:
    pictures = Pictures()
    large = os.urandom(MAX_BYTES)
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(_outcome(pictures, large)) for _ in range(5)]
    outcomes = [one.result() for one in waiting]
    assert sorted(outcomes) == ["Invalid"] * 3 + ["Unavailable"] * 2
    assert await pictures.small(GOOD["a PNG"])


async def _outcome(pictures: Pictures, content: bytes) -> str:
    try:
        await pictures.small(content)
    except (Invalid, Unavailable) as error:
        return type(error).__name__
    return "small"


async def test_a_picture_that_takes_too_long_is_refused_and_its_process_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "MAX_SECONDS", 0.001)
    pictures = Pictures()
    with pytest.raises(Invalid):
        await pictures.small(GOOD["a PNG"])
    monkeypatch.undo()
    assert await pictures.small(GOOD["a PNG"])
