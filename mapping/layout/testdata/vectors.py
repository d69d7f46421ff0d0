#!/usr/bin/env python3
"""Writes vectors.txt: what values look like on the wire, worked out without Go.

    python3 vectors.py > vectors.txt

A line is: type, order, bit or length (- for none), scale,
offset, the registers in hex, the kind of value and the value.
"""

import json
import struct
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
    "int32": (4, True), "uint32": (4, False),
    "int48": (6, True), "uint48": (6, False),
    "int64": (8, True), "uint64": (8, False),
}

FLOATS = [0.0, 1.0, -1.0, 0.1, 23.4, 70.0, 230.5, -123456.78, 1e-7, 1e21, 16777216.0]
EXTREMES = {
    "float32": ["7f7fffff", "ff7fffff", "00800000", "00000001"],
    "float64": ["7fefffffffffffff", "ffefffffffffffff", "0010000000000000", "0000000000000001"],
}
NOT_NUMBERS = {
    "float32": ["7fc00000", "ffc00000", "7f800001", "7f800000", "ff800000"],
    "float64": ["7ff8000000000000", "7ff0000000000001", "7ff0000000000000", "fff0000000000000"],
}


def wire(big_endian, order):
    return bytes(big_endian[ord(letter) - ord("A")] for letter in order).hex()


def line(typ, order, registers, kind, value, extra="-", scale="1", offset="0"):
    print(typ, order, extra, scale, offset, wire(registers, order), kind, value, sep="\t")


def shortest(registers):
    """The decimal a float stands for: the fewest digits that give it back."""
    form = ">f" if len(registers) == 4 else ">d"
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
            for order in ORDERS[size]:
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


def floats():
    for typ, form in (("float32", ">f"), ("float64", ">d")):
        registers = [struct.pack(form, f) for f in FLOATS]
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
        ("21 °C".encode(), "21 °C"),
        (b"21 \xb0C\0", "21 \ufffdC"),
        (b"x" * 250, "x" * 250),
    ):
        for order in ORDERS[2]:
            registers = "".join(wire(raw[i:i + 2], order) for i in range(0, len(raw), 2))
            print("string", order, len(raw) // 2, 1, 0, registers,
                  "text", json.dumps(text, ensure_ascii=False), sep="\t")


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
floats()
strings()
scaled()
