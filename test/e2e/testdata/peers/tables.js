// A foreign Modbus slave with all four tables: modbus-serial.
//
// usage: tables.js PORT
//
// PORT is a terminal at 19200 8N1, or a TCP port on loopback. Unit 9 holds what
// foreign_test.go says.
"use strict";
const { ServerSerial, ServerTCP } = require("modbus-serial");

const bits = 2000, registers = 200, unit = 9;
const coils = Array.from({ length: bits }, (_, n) => n % 3 === 0);
const holding = Array.from({ length: registers }, (_, n) => 2000 + n);

function checked(address, limit) {
  if (address >= limit) throw { modbusErrorCode: 2 };
}

const device = {
  getCoil(n) { checked(n, bits); return coils[n]; },
  getDiscreteInput(n) { checked(n, bits); return n % 2 === 1; },
  getInputRegister(n) { checked(n, registers); return 1000 + n; },
  getHoldingRegister(n) { checked(n, registers); return holding[n]; },
  setCoil(n, on) { checked(n, bits); coils[n] = on; },
  setRegister(n, value) { checked(n, registers); holding[n] = value; },
  readDeviceIdentification() { return { 0: "Foreign", 1: "P", 2: "1.0" }; },
};

const port = process.argv[2];
const server = /^\d+$/.test(port)
  ? new ServerTCP(device, { host: "127.0.0.1", port: Number(port), unitID: unit })
  : new ServerSerial(device, { port, baudRate: 19200, unitID: unit, interval: 5 });
server.on("socketError", console.error);
server.on("error", console.error);
