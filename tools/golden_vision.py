#!/usr/bin/env python3
"""Makes tests/golden/vision: small pictures of every kind, and what they must decode to.

    python3 tools/golden_vision.py        # wants NumPy and Pillow

PNG files are written by the few lines below, so that every kind can be had (16 bits, one bit,
interlaced, transparent colours) and the expected pixels are known without any decoder. JPEG files
and resized pictures are Pillow's. Expected pixels are PAM files: a text header, then
[height, width, channels] bytes. Files of the same name belong together.
"""
import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "vision"
RNG = np.random.default_rng(7)


def write_pam(name, a):
    a = a if a.ndim == 3 else a[:, :, None]
    h, w, c = a.shape
    header = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL 255\nENDHDR\n" % (w, h, c)
    (OUT / name).write_bytes(header + a.astype(np.uint8).tobytes())


# ---- PNG: bit depth, colour type, palette, transparency, interlacing -----------------------

def pack_rows(samples, bits):
    """[h, w, c] samples to filtered rows (filter 0: as they are)."""
    rows = b""
    for row in samples.reshape(samples.shape[0], -1):
        if bits == 16:
            data = row.astype(">u2").tobytes()
        else:
            text = "".join(format(int(v), "0%db" % bits) for v in row)
            text += "0" * (-len(text) % 8)
            data = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))
        rows += b"\0" + data
    return rows


def write_png(name, samples, bits, colour_type, palette=None, transparent=None, adam7=False):
    samples = samples if samples.ndim == 3 else samples[:, :, None]
    h, w, _ = samples.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if adam7:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        raw = b"".join(pack_rows(samples[y::dy, x::dx], bits) for y, x, dy, dx in passes
                       if samples[y::dy, x::dx].size)
    else:
        raw = pack_rows(samples, bits)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, colour_type, 0, 0, adam7))
    if palette is not None:
        data += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    if transparent is not None:
        data += chunk(b"tRNS", transparent)
    data += chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
    (OUT / name).write_bytes(data)


def pngs():
    h, w = 5, 11
    for bits in (1, 2, 4, 8, 16):
        v = RNG.integers(0, 1 << bits, (h, w))
        write_png("gray%d.png" % bits, v, bits, 0)
        write_pam("gray%d.pam" % bits, np.floor(v * 255.0 / ((1 << bits) - 1) + 0.5))
    for bits in (8, 16):
        for kind, channels, colour_type in (("ga", 2, 4), ("rgb", 3, 2), ("rgba", 4, 6)):
            v = RNG.integers(0, 1 << bits, (h, w, channels))
            write_png("%s%d.png" % (kind, bits), v, bits, colour_type, adam7=bits == 8 and channels == 3)
            write_pam("%s%d.pam" % (kind, bits), np.floor(v * 255.0 / ((1 << bits) - 1) + 0.5))
    for bits in (1, 4, 8):
        palette = RNG.integers(0, 256, (min(1 << bits, 200), 3))
        v = RNG.integers(0, len(palette), (h, w))
        write_png("palette%d.png" % bits, v, bits, 3, palette, adam7=bits == 4)
        write_pam("palette%d.pam" % bits, palette[v])
    palette, alpha = RNG.integers(0, 256, (4, 3)), np.array([0, 128, 255], np.uint8)
    v = RNG.integers(0, 4, (h, w))
    write_png("palette_alpha.png", v, 2, 3, palette, alpha.tobytes())
    write_pam("palette_alpha.pam", np.concatenate([palette[v], np.append(alpha, 255)[v][:, :, None]], 2))
    v = RNG.integers(0, 16, (h, w))
    write_png("gray_transparent.png", v, 4, 0, transparent=struct.pack(">H", 5))
    write_pam("gray_transparent.pam", np.stack([v * 17, np.where(v == 5, 0, 255)], 2))
    v = RNG.integers(0, 3, (h, w, 3))
    write_png("rgb_transparent.png", v, 8, 2, transparent=struct.pack(">HHH", 1, 1, 1))
    hidden = (v == 1).all(2)
    write_pam("rgb_transparent.pam", np.concatenate([v, np.where(hidden, 0, 255)[:, :, None]], 2))


# ---- JPEG ------------------------------------------------------------------------------------

def smooth(h, w, channels):
    y, x = np.mgrid[0:h, 0:w]
    planes = [127 + 120 * np.sin(x / (5 + c) + y / (7 - c) + c) for c in range(channels)]
    return np.stack(planes, 2).astype(np.uint8)


def jpegs():
    rgb = Image.fromarray(smooth(19, 26, 3))
    gray, cmyk = rgb.convert("L"), rgb.convert("CMYK")
    kinds = {
        "jpeg_gray": (gray, dict(quality=90)),
        "jpeg_444": (rgb, dict(quality=90, subsampling=0)),
        "jpeg_420": (rgb, dict(quality=80, subsampling=2)),
        "jpeg_progressive": (rgb, dict(quality=90, progressive=True)),
        "jpeg_cmyk": (cmyk, dict(quality=95)),
    }
    for name, (image, options) in kinds.items():
        (OUT / (name + ".jpg")).write_bytes(saved(image, **options))
        decoded = Image.open(OUT / (name + ".jpg"))
        write_pam(name + ".pam", np.asarray(decoded if decoded.mode == "L" else decoded.convert("RGB")))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = "jpeg_turned%d" % orientation
        (OUT / (name + ".jpg")).write_bytes(saved(gray, quality=90, exif=exif))
        write_pam(name + ".pam", np.asarray(ImageOps.exif_transpose(Image.open(OUT / (name + ".jpg")))))


def saved(image, **options):
    f = io.BytesIO()
    image.save(f, "JPEG", **options)
    return f.getvalue()


# ---- resizing and channels ---------------------------------------------------------------------

def resized():
    for kind, channels in (("gray", 1), ("rgb", 3)):
        a = RNG.integers(0, 256, (17, 23, channels)).astype(np.uint8)
        image = Image.fromarray(a[:, :, 0] if channels == 1 else a)
        write_pam("resize_%s.pam" % kind, a)
        for w, h in ((7, 5), (40, 31), (23, 5), (11, 17), (1, 1), (5, 40), (22, 16)):
            small = image.resize((w, h), Image.BILINEAR)
            write_pam("resize_%s_%dx%d.pam" % (kind, w, h), np.asarray(small))
        if channels == 3:
            write_pam("resize_rgb_luma.pam", np.asarray(image.convert("L")))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    pngs()
    jpegs()
    resized()
