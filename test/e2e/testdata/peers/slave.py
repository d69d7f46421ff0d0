"""A foreign Modbus slave for the end-to-end tests: pymodbus's server.

usage: slave.py PORT [FRAMING]

PORT is a terminal, or a TCP port on loopback. FRAMING is rtu, ascii or tcp; it is
rtu unless given.

Units 7 and 255 hold, at these addresses on the wire:
  input     0-1   float32 230.5, high word first
  input     2-3   float32 -12.25, low word first
  holding   0     int16 -234
  holding   1-2   uint32 305419896
  holding   10-11 uint32 counter, one more at every read
  coil      0-2   1 0 1
  discrete  3     1
Every other address is refused with exception 2.
"""
import asyncio
import logging
import struct
import sys

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer, ModbusSocketFramer

logging.disable(logging.CRITICAL)


def words(fmt, value):
    packed = struct.pack(fmt, value)
    return [int.from_bytes(packed[i:i + 2], "big") for i in range(0, len(packed), 2)]


class Counting(ModbusSparseDataBlock):
    """Holding registers whose counter moves when it is read."""

    count = 0

    def getValues(self, address, count=1):
        if address <= 10 < address + count:
            self.count += 1
            high, low = words(">I", self.count)
            self.setValues(10, {10: high, 11: low})
        return super().getValues(address, count)


inputs = words(">f", 230.5) + words(">f", -12.25)[::-1]
holding = Counting({**dict(enumerate([0x10000 - 234] + words(">I", 305419896))), 10: 0, 11: 0})
unit = ModbusSlaveContext(
    ir=ModbusSparseDataBlock(dict(enumerate(inputs))),
    hr=holding,
    co=ModbusSparseDataBlock({0: 1, 1: 0, 2: 1}),
    di=ModbusSparseDataBlock({3: 1}),
    zero_mode=True,
)


async def main():
    port, framing = sys.argv[1], (sys.argv[2:] or ["rtu"])[0]
    context = ModbusServerContext(slaves={7: unit, 255: unit}, single=False)
    framer = {"rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer, "tcp": ModbusSocketFramer}[framing]
    if port.isdigit():
        await StartAsyncTcpServer(context=context, framer=framer, address=("127.0.0.1", int(port)))
    else:
        await StartAsyncSerialServer(context=context, framer=framer, port=port, baudrate=19200, timeout=0.005)

asyncio.run(main())
