"""A foreign Modbus slave with all four tables and all its functions: pymodbus.

usage: tables.py PORT FRAMING

PORT is a terminal at 19200 8N1, or a TCP port on loopback. FRAMING is rtu, ascii
or tcp. Unit 9 holds what foreign_test.go says.
"""
import asyncio
import logging
import sys

from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSequentialDataBlock
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer, ModbusSocketFramer

logging.disable(logging.CRITICAL)

unit = ModbusSlaveContext(
    co=ModbusSequentialDataBlock(0, [n % 3 == 0 for n in range(2000)]),
    di=ModbusSequentialDataBlock(0, [n % 2 == 1 for n in range(2000)]),
    ir=ModbusSequentialDataBlock(0, [1000 + n for n in range(200)]),
    hr=ModbusSequentialDataBlock(0, [2000 + n for n in range(200)]),
    zero_mode=True,
)
identity = ModbusDeviceIdentification(info_name={
    "VendorName": "Foreign", "ProductCode": "P", "MajorMinorRevision": "1.0",
})


async def main():
    port, framing = sys.argv[1:]
    context = ModbusServerContext(slaves={9: unit}, single=False)
    framer = {"rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer, "tcp": ModbusSocketFramer}[framing]
    if port.isdigit():
        await StartAsyncTcpServer(context=context, framer=framer, identity=identity, address=("127.0.0.1", int(port)))
    else:
        await StartAsyncSerialServer(context=context, framer=framer, identity=identity, port=port, baudrate=19200, timeout=0.005)

asyncio.run(main())
