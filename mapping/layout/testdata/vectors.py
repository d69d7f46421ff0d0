#!/usr/bin/env python3
"""Writes vectors.txt: what values look like on the wire, worked out without Go.

    python3 vectors.py > vectors.txt

A line is: type, order, bits or length (- for none), scale,
offset, the registers in hex, the kind of value and the value.
"""

import json
import struct
from datetime import datetime, timezone
from decimal import Decimal
from fractions import Fraction

ORDERS = {  # by bytes; the letter is the byte of the value, A the most significant
    2: ["AB", "BA"],
    4: ["ABCD", "CDAB", "BADC", "DCBA"],
    6: ["ABCDEF", "EFCDAB", "BADCFE", "FEDCBA"],
    8: ["ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"],
}

INTEGERS = {  # bytes, signed
    "int16": (2, True), "uint16": (2, False),
    "int24": (3, True), "uint24": (3, False),
    "int32": (4, True), "uint32": (4, False),
    "int48": (6, True), "uint48": (6, False),
    "int64": (8, True), "uint64": (8, False),
}

FLOATS = [0.0, 1.0, -1.0, 0.1, 23.4, 70.0, 230.5, -123456.78, 1e-7, 1e21, 16777216.0]
EXTREMES = {
    "float16": ["7bff", "fbff", "0400", "0001", "03ff", "8001", "3c01"],
    "float32": ["7f7fffff", "ff7fffff", "00800000", "00000001"],
    "float64": ["7fefffffffffffff", "ffefffffffffffff", "0010000000000000", "0000000000000001"],
}
NOT_NUMBERS = {
    "float16": ["7e00", "fe00", "7c01", "7c00", "fc00"],
    "float32": ["7fc00000", "ffc00000", "7f800001", "7f800000", "ff800000"],
    "float64": ["7ff8000000000000", "7ff0000000000001", "7ff0000000000000", "fff0000000000000"],
}


def wire(big_endian, order):
    return bytes(big_endian[ord(letter) - ord("A")] for letter in order).hex()


def line(typ, order, registers, kind, value, extra="-", scale="1", offset="0"):
    if typ == "hex":
        on_wire = "".join(wire(registers[i:i + 2], order) for i in range(0, len(registers), 2))
    else:
        on_wire = wire(registers, order)
    print(typ, order, extra, scale, offset, on_wire, kind, value, sep="\t")


def shortest(registers):
    """The decimal a float stands for: the fewest digits that give it back."""
    form = {2: ">e", 4: ">f", 8: ">d"}[len(registers)]
    value = struct.unpack(form, registers)[0]
    for digits in range(17):
        text = f"{value:.{digits}e}"
        try:
            if struct.pack(form, float(text)) == registers:
                return text
        except OverflowError:
            pass
    raise ValueError(registers)


def integers():
    for typ, (size, signed) in INTEGERS.items():
        bits = 8 * size
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        pattern = int.from_bytes(bytes(range(1, size + 1)), "big")
        values = {low, low + 1, 0, 1, 255, 256, pattern, high - 1, high, 1 << bits - 2}
        if signed:
            values |= {-1, -123, -pattern}
        for value in sorted(values):
            registers = value.to_bytes(size, "big", signed=signed)
            if size == 3:
                registers = b"\xEE" + registers  # somebody else's
            for order in ORDERS[len(registers)]:
                line(typ, order, registers, "int" if signed else "uint", value)


def small_integers():
    for order in ORDERS[2]:
        for value in (-128, -1, 0, 1, 127):
            line("int8-high", order, struct.pack(">bB", value, 0x5A), "int", value)
            line("int8-low", order, struct.pack(">Bb", 0xA5, value), "int", value)
        for value in (0, 1, 127, 128, 255):
            line("uint8-high", order, struct.pack(">BB", value, 0x5A), "uint", value)
            line("uint8-low", order, struct.pack(">BB", 0xA5, value), "uint", value)


def bits():
    for order in ORDERS[2]:
        for bit in range(16):
            line("bool", order, (1 << bit).to_bytes(2, "big"), "bool", "true", bit)
            line("bool", order, (0xFFFF ^ 1 << bit).to_bytes(2, "big"), "bool", "false", bit)
    for typ, size in (("uint16", 2), ("int16", 2), ("uint32", 4), ("int32", 4), ("uint48", 6), ("uint64", 8)):
        value = int.from_bytes(bytes.fromhex("fedcba9876543210")[:size], "big")
        for order in ORDERS[size]:
            for low, high in ((0, 1), (4, 7), (3, 12), (0, 8 * size - 1), (8 * size - 3, 8 * size - 1)):
                field = value >> low & (1 << high - low + 1) - 1
                line(typ, order, value.to_bytes(size, "big"), "uint", field, f"{low}..{high}")
            for bit in (0, 5, 8 * size - 1):
                told = "true" if value >> bit & 1 else "false"
                line(typ, order, value.to_bytes(size, "big"), "bool", told, f"{bit}")


def bcd():
    for digits in (4, 8, 16):
        for value in sorted({0, 1, 9, 10, 1234, 9999, 10 ** digits - 1, 12345678 % 10 ** digits}):
            registers = bytes.fromhex(f"{value:0{digits}d}")
            for order in ORDERS[digits // 2]:
                line(f"bcd{4 * digits}", order, registers, "uint", value)
        registers = bytes.fromhex("1a" + "0" * (digits - 2))
        line(f"bcd{4 * digits}", ORDERS[digits // 2][0], registers, "error",
             f"0x{registers.hex()} is not in decimal digits")
    line("bcd16", "AB", bytes.fromhex("2345"), "float", "234.5", scale="0.1")


def moments():
    forms = (
        ("unix32", "%Y-%m-%dT%H:%M:%SZ", lambda t: struct.pack(">I", int(t.timestamp()))),
        ("cp56time2a", None, lambda t: b"\xEE" + struct.pack(
            ">BBBBBH", t.year - 2000, t.month, t.day | t.isoweekday() << 5, t.hour | 0x80, t.minute,
            t.second * 1000 + t.microsecond // 1000)),
        ("datetime48", "%Y-%m-%dT%H:%M:%S", lambda t: bytes((
            t.year - 2000, t.month, t.day, t.hour, t.minute, t.second))),
        ("datetime48-bcd", "%Y-%m-%dT%H:%M:%S", lambda t: bytes.fromhex(t.strftime("%y%m%d%H%M%S"))),
        ("date32-bcd", "%Y-%m-%d", lambda t: bytes.fromhex(t.strftime("%Y%m%d"))),
    )
    for year, month, day, *clock in (
        (2026, 11, 21, 3, 40, 59, 250_000), (2000, 1, 1, 0, 0, 0, 0), (2024, 2, 29, 23, 59, 59, 999_000),
        (2099, 12, 31, 12, 30, 0, 1_000),
    ):
        t = datetime(year, month, day, *clock, tzinfo=timezone.utc)
        for typ, form, pack in forms:
            registers = pack(t)
            text = t.strftime(form) if form else t.strftime("%Y-%m-%dT%H:%M:%S.") + f"{t.microsecond // 1000:03d}"
            for order in ORDERS[len(registers)]:
                line(typ, order, registers, "text", json.dumps(text))
    for typ, registers, why in (
        ("cp56time2a", "001a0b1503a80000", "device says that its time is invalid"),
        ("cp56time2a", "001a0d1503000000", "not a date and time"),
        ("cp56time2a", "001a0b150300ea60", "not a date and time"),
        ("datetime48", "1a021d000000", "not a date and time"),
        ("datetime48", "000000000000", "not a date and time"),
        ("datetime48-bcd", "261121034060", "not a date and time"),
        ("datetime48-bcd", "26112103405a", "0x26112103405a is not in decimal digits"),
        ("date32-bcd", "20261131", "not a date and time"),
    ):
        line(typ, ORDERS[len(registers) // 2][0], bytes.fromhex(registers), "error", why)


def bytes_of_registers():
    raw = bytes.fromhex("00ff0a1bc2d3")
    line("hex", "AB", raw, "text", json.dumps(raw.hex()), 3)
    line("hex", "BA", raw, "text", json.dumps(raw.hex()), 3)


def floats():
    for typ, form in (("float16", ">e"), ("float32", ">f"), ("float64", ">d")):
        registers = [struct.pack(form, f) for f in FLOATS if typ != "float16" or abs(f) < 65000]
        registers += [bytes.fromhex(h) for h in EXTREMES[typ]]
        for order in ORDERS[struct.calcsize(form)]:
            for r in registers:
                line(typ, order, r, "float", repr(float(shortest(r))))
            for h in NOT_NUMBERS[typ]:
                line(typ, order, bytes.fromhex(h), "error", "not a number")


def strings():
    for raw, text in (
        (b"SDM630", "SDM630"),
        (b"SDM630-M\0\0", "SDM630-M"),
        (b"A\0trailing junk.", "A"),
        (b" padded   ", "padded"),
        (b"\0\0\0\0", ""),
        (b"\xff\xff\xff\xff", ""),
        (b"AB\xff\xff", "AB"),
        ("21 °C".encode(), "21 °C"),
        (b"21 \xb0C\0", "21 \ufffdC"),
        (b"x" * 250, "x" * 250),
    ):
        for order in ORDERS[2]:
            registers = "".join(wire(raw[i:i + 2], order) for i in range(0, len(raw), 2))
            print("string", order, len(raw) // 2, 1, 0, registers,
                  "text", json.dumps(text, ensure_ascii=False), sep="\t")


        if len(raw) > 200:
            continue
        for order in ORDERS[2]:
            for typ, pair in (("string-high", lambda c: bytes((c, 0x41))), ("string-low", lambda c: bytes((0x41, c)))):
                registers = "".join(wire(pair(c), order) for c in raw)
                print(typ, order, len(raw), 1, 0, registers, "text", json.dumps(text, ensure_ascii=False), sep="\t")


def scaled():
    exact = lambda text: Fraction(Decimal(text))
    for scale, offset in (
        ("0.1", "0"), ("0.01", "0"), ("0.001", "0"), ("1e-6", "0"), ("-0.1", "0"), ("0.5", "0"),
        ("10", "0"), ("1000", "0"), ("1", "0.5"), ("1", "-40"), ("0.1", "-273.15"), ("0.1", "-40"),
        ("1.8", "32"), ("0.0625", "0"), ("0.3", "0.7"), ("2.5e-3", "1e-3"),
    ):
        for typ, values in (
            ("int16", (-32768, -235, -1, 0, 1, 3, 7, 57, 234, 235, 999, 2345, 32767)),
            ("uint16", (0, 1, 234, 2345, 40001, 65535)),
            ("int32", (-2147483648, -123456, 123456789, 2147483647)),
            ("uint32", (305419896, 4294967295)),
            ("int64", (-(1 << 53) - 1, -123456789, (1 << 53) + 1, 1234567890123456)),
            ("uint64", (0, (1 << 53) + 1, 123456789012)),
        ):
            size, signed = INTEGERS[typ]
            for value in values:
                want = float(value * exact(scale) + exact(offset))
                line(typ, ORDERS[size][0], value.to_bytes(size, "big", signed=signed),
                     "float", repr(want), scale=scale, offset=offset)
        for typ, form in (("float32", ">f"), ("float64", ">d")):
            for value in (0.0, 0.1, 23.4, 230.5, -70.07, 1234.5):
                registers = struct.pack(form, value)
                want = float(exact(shortest(registers)) * exact(scale) + exact(offset))
                line(typ, ORDERS[len(registers)][0], registers, "float", repr(want), scale=scale, offset=offset)
    line("float64", "ABCDEFGH", struct.pack(">d", 1e308), "error", "not a number", scale="1000")


integers()
small_integers()
bits()
bcd()
moments()
bytes_of_registers()
floats()
strings()
scaled()
