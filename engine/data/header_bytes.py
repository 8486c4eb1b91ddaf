"""Width and height out of the first bytes of an ordinary PNG, JPEG or WebP file, or None: ask Pillow."""

import os
import re
import struct
import zlib

_WINDOW = 4096  # bytes read at a time: a page of the file system, and the whole header of most files
_LONGEST_CHUNK = 1 << 18  # bytes of one before the pixels of a PNG; what is longer is left to Pillow
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)  # the latter is Windows'

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_PNG_CHUNKS = {  # those that are judged here, with the bytes that Pillow asks of them
    b"PLTE": 0, b"tRNS": 6, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9, b"tEXt": 0, b"iTXt": 2,
    b"iCCP": 3, b"eXIf": 0, b"tIME": 0, b"bKGD": 0, b"sBIT": 0, b"caBX": 0,
}  # fmt: skip
_PNG_TEXTS_LEFT = (  # texts that Pillow takes for more than texts
    b"exif", b"xmp", b"Raw profile type exif", b"XML:com.adobe.xmp", b"bbox", b"default_image",
)  # fmt: skip
_LARGEST_PROFILE = 1 << 20  # bytes, uncompressed: Pillow's PngImagePlugin.MAX_TEXT_CHUNK

_JPEG = b"\xff\xd8\xff"
_FRAMES = (0xFFC0, 0xFFC1, 0xFFC2)  # baseline, extended, progressive
_SCAN, _TABLES = 0xFFDA, 0xFFDB
_PASSED_OVER = (0xFFC4, 0xFFDD, 0xFFFE)  # Huffman tables, restart interval, comment
_APPS = range(0xFFE0, 0xFFF0)
_APPS_LEFT = {  # marker -> what it starts with and the bytes that Pillow asks of it then
    0xFFE0: (b"JFIF", 7), 0xFFE2: (b"ICC_PROFILE\0", 14), 0xFFEE: (b"Adobe", 7),
}  # fmt: skip
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')  # as PIL.Image.Image.getexif

_TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_TIFF_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_ORIENTATION = 0x0112
_TYPED = {_ORIENTATION: 3, 0x0128: 3, 0x011A: 5}  # tags that Pillow looks at, and their usual type


_WEBP_FLAGS = {b"XMP ": 4, b"EXIF": 8, b"ALPH": 16, b"ICCP": 32}  # chunks that VP8X announces
_WEBP_LAST = (b"XMP ", b"EXIF")  # those that follow the picture


class _UnusualError(Exception):
    """What only Pillow judges."""


def read_header(path: str, *, most_pixels: float) -> tuple[int, int] | None:
    """Width and height in pixels, as the picture is shown; None where Pillow has to be asked.

    Never another answer than Pillow's: what ordinary files do not hold is not judged here.
    most_pixels  larger pictures are left to Pillow
    """
    try:
        file = os.open(path, _OPEN_FLAGS)
    except OSError:
        return None
    try:
        return _size(_Bytes(file), most_pixels)
    except (OSError, _UnusualError):
        return None
    finally:
        os.close(file)


class _Bytes:
    """The bytes of a file by their place, read by the page."""

    __slots__ = ("_file", "_held", "_start")

    @property
    def num_bytes(self) -> int:
        """Of the whole file."""
        return os.fstat(self._file).st_size

    def __init__(self, file: int) -> None:
        self._file = file
        self._start = 0
        self._held = os.read(file, _WINDOW)

    def take(self, start: int, count: int) -> bytes:
        """So many bytes from there.

        raises  _UnusualError where the file has fewer
        """
        first = start - self._start
        if first < 0 or first + count > len(self._held):
            os.lseek(self._file, start, os.SEEK_SET)
            self._start, self._held, first = start, os.read(self._file, max(count, _WINDOW)), 0
            if len(self._held) < count:
                raise _UnusualError
        return self._held[first : first + count]


def _size(data: _Bytes, most_pixels: float) -> tuple[int, int]:
    start = data.take(0, 8)
    if start.startswith(_JPEG):
        width, height, turn = _jpeg(data)
    elif start == _PNG:
        width, height, turn = _png(data)
    elif start[:4] == b"RIFF":
        width, height, turn = _webp(data)
    else:
        raise _UnusualError
    if not 0 < width * height <= most_pixels:
        raise _UnusualError
    return (height, width) if turn in _TURNED else (width, height)


def _png(data: _Bytes) -> tuple[int, int, int]:
    """Width, height and orientation. Pillow reads all chunks up to the pixels and checks their sums."""
    width, height, depth, colour, filters = struct.unpack(">IIBBxBx", _chunk(data, 8, 13, b"IHDR"))
    if depth not in _PNG_DEPTHS.get(colour, ()) or filters:
        raise _UnusualError
    turn, at = 0, 8 + 12 + 13
    while True:
        count, kind = struct.unpack(">I4s", data.take(at, 8))
        if kind == b"IDAT":
            return width, height, turn
        if count < _PNG_CHUNKS.get(kind, count + 1) and not (kind == b"tRNS" and colour == 3):
            raise _UnusualError
        body = _chunk(data, at, count, kind)
        if kind == b"eXIf":
            if turn:
                raise _UnusualError
            turn = _exif_orientation(body) or 1
        elif kind in _PNG_JUDGES:
            _PNG_JUDGES[kind](body)
        at += 12 + count


def _chunk(data: _Bytes, at: int, count: int, kind: bytes) -> bytes:
    """The content of a chunk whose sum is right."""
    if count > _LONGEST_CHUNK:
        raise _UnusualError
    whole = data.take(at, 12 + count)
    if whole[:8] != struct.pack(">I4s", count, kind) or zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:]):
        raise _UnusualError
    return whole[8:-4]


def _judge_text(body: bytes) -> None:
    if body.partition(b"\0")[0] in _PNG_TEXTS_LEFT:
        raise _UnusualError


def _judge_international_text(body: bytes) -> None:
    _judge_text(body)
    if body.partition(b"\0")[2][:1] != b"\0":  # compressed, or damaged
        raise _UnusualError


def _judge_profile(body: bytes) -> None:
    _, nul, packed = body.partition(b"\0")
    unpacking = zlib.decompressobj()
    if not nul or packed[:1] != b"\0":
        raise _UnusualError
    try:
        unpacking.decompress(packed[1:], _LARGEST_PROFILE)
    except zlib.error:
        raise _UnusualError from None
    if unpacking.unconsumed_tail:
        raise _UnusualError


_PNG_JUDGES = {b"tEXt": _judge_text, b"iTXt": _judge_international_text, b"iCCP": _judge_profile}


def _jpeg(data: _Bytes) -> tuple[int, int, int]:
    """Width, height and orientation. Pillow reads all segments up to the first scan."""
    size = exif = xmp = None
    at = 2
    while True:
        marker, count = struct.unpack(">HH", data.take(at, 4))
        start, count = at + 4, count - 2
        at = start + count
        if count < 0:
            raise _UnusualError
        if marker in _APPS:
            head = data.take(start, min(count, len(_XMP)))
            _judge_app(data, marker, head, start, count)
            if marker == 0xFFE1 and head.startswith(_EXIF):
                if exif:
                    raise _UnusualError
                exif = start, count
            elif marker == 0xFFE1 and head == _XMP:
                xmp = start, count
        elif marker == _TABLES:
            _judge_tables(data.take(start, count))
        elif marker in _FRAMES and size is None:
            size = _frame(data.take(start, count))
        elif marker == _SCAN and size and count:
            data.take(start, count)
            return *size, _jpeg_orientation(data, exif, xmp)
        elif marker not in _PASSED_OVER:
            raise _UnusualError


def _judge_app(data: _Bytes, marker: int, head: bytes, start: int, count: int) -> None:
    name, least = _APPS_LEFT.get(marker, (head + b"-", 0))
    if count < least and head.startswith(name):
        raise _UnusualError
    if marker == 0xFFE2 and head.startswith(b"MPF\0"):  # several pictures in one file
        raise _UnusualError
    is_photoshop = marker == 0xFFED and head.startswith(b"Photoshop 3.0\0")
    if is_photoshop and data.take(start + count - 6, 4) == b"8BIM":  # cut off inside a resource
        raise _UnusualError


def _judge_tables(body: bytes) -> None:
    at = 0
    while at < len(body):
        at += 65 if body[at] < 16 else 129  # 8 or 16 bits a value
    if at > len(body):
        raise _UnusualError


def _frame(body: bytes) -> tuple[int, int]:
    if len(body) < 6 or len(body) % 3:
        raise _UnusualError
    bits, height, width, layers = struct.unpack_from(">BHHB", body)
    if bits != 8 or layers not in (1, 3, 4):
        raise _UnusualError
    return width, height


def _jpeg_orientation(data: _Bytes, exif: tuple[int, int] | None, xmp: tuple[int, int] | None) -> int:
    if exif:
        orientation = _exif_orientation(data.take(*exif)[len(_EXIF) :])
        if orientation is not None:
            return orientation
    if xmp and (match := _XMP_ORIENTATION.search(data.take(*xmp))):
        return int(match[1])
    return 1


def _webp(data: _Bytes) -> tuple[int, int, int]:
    """Width, height and orientation of a picture that is not animated. libwebp looks at all chunks."""
    name, count, kind = struct.unpack("<4sI4s", data.take(0, 12))
    end, at = 8 + count, 12
    if kind != b"WEBP" or count % 2 or data.num_bytes < end:
        raise _UnusualError
    canvas = frame = None
    flags, found = 0, dict[bytes, bytes]()
    while at < end:
        name, count = struct.unpack("<4sI", data.take(at, 8))
        start, at = at + 8, at + 8 + count + count % 2
        if at > end or count == 0:
            raise _UnusualError
        if name == b"VP8X" and start == 20 and count == 10:
            flags, canvas = _webp_canvas(data.take(start, 10))
        elif name in _WEBP_FRAMES and frame is None:
            frame = _WEBP_FRAMES[name](data.take(start, 10), count)
        elif flags & _WEBP_FLAGS.get(name, 0) and name not in found and bool(frame) == (name in _WEBP_LAST):
            found[name] = data.take(start, count) if frame else b""
        else:
            raise _UnusualError
    if frame is None or canvas not in (None, frame):
        raise _UnusualError
    turn = _exif_orientation(found[b"EXIF"].removeprefix(_EXIF)) if b"EXIF" in found else None
    if turn is None and (match := _XMP_ORIENTATION.search(found.get(b"XMP ", b""))):
        turn = int(match[1])
    return *frame, turn or 1


def _webp_canvas(body: bytes) -> tuple[int, tuple[int, int]]:
    """What follows, and the size."""
    flags, width, height = body[0], int.from_bytes(body[4:7], "little"), int.from_bytes(body[7:], "little")
    if flags & ~sum(_WEBP_FLAGS.values()) or body[1:4] != bytes(3):  # animated, or of a later version
        raise _UnusualError
    return flags, (1 + width, 1 + height)


def _webp_lossy(body: bytes, count: int) -> tuple[int, int]:
    """A key frame of a known profile that is shown. Source: libwebp, VP8GetInfo."""
    bits = int.from_bytes(body[:3], "little")
    width, height = struct.unpack("<HH", body[6:])
    if (
        bits & 1
        or bits >> 1 & 7 > 3
        or not bits >> 4 & 1
        or bits >> 5 >= count
        or body[3:6] != b"\x9d\x01\x2a"
    ):
        raise _UnusualError
    return width & 0x3FFF, height & 0x3FFF


def _webp_lossless(body: bytes, count: int) -> tuple[int, int]:
    bits = int.from_bytes(body[1:5], "little")
    if body[0] != 0x2F or bits >> 29 or count < 10:
        raise _UnusualError
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


_WEBP_FRAMES = {b"VP8 ": _webp_lossy, b"VP8L": _webp_lossless}


def _exif_orientation(tiff: bytes) -> int | None:
    """The orientation in the first directory; None where it has none."""
    order = _TIFF_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 14:
        raise _UnusualError
    (at,) = struct.unpack_from(order + "I", tiff, 4)
    if at < 8 or at + 2 > len(tiff):
        raise _UnusualError
    (num,) = struct.unpack_from(order + "H", tiff, at)
    rows = tiff[at + 2 : at + 2 + 12 * num]
    if at + 2 + 12 * num + 4 > len(tiff):
        raise _UnusualError
    found, far = None, 0
    for tag, kind, count, value in struct.iter_unpack(order + "HHI4s", rows):
        if tag in _TYPED and (kind != _TYPED[tag] or count != 1):
            raise _UnusualError
        size = count * _TIFF_UNITS.get(kind, 0)
        if size > 4:  # the value lies elsewhere
            far += size
            if far > len(tiff) or struct.unpack(order + "I", value)[0] + size > len(tiff):
                raise _UnusualError
        if tag == _ORIENTATION:
            if found is not None:
                raise _UnusualError
            (found,) = struct.unpack_from(order + "H", value)
    return found
