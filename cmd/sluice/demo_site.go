package main

import "fmt"

// cloudPrefix is what the demo's bridge puts in front of topics.
const cloudPrefix = "fleet-data/"

// demoSite is the site file of the demo: an energy meter, a climate sensor and a
// small PLC on one line, a bridge to the cloud.
func demoSite(port, listen, cloud string) string {
	return fmt.Sprintf(`version: 1
site: demo
gateway: gw-demo
buses:
  - {id: rs485, port: %s, baud: 19200, format: 8N1}
devices:
  - id: meter
    bus: rs485
    unit: 1
    interval: 1s
    points:
      - {id: voltage-l1, register: input 0x0000, type: float32, unit: V}
      - {id: current-l1, register: input 0x0006, type: float32, unit: A}
      - {id: power,      register: input 0x0034, type: float32, unit: W}
      - {id: frequency,  register: input 0x0046, type: float32, unit: Hz, interval: 2s}
      - {id: energy,     register: input 0x0048, type: float32, unit: kWh, interval: 5s}
  - {id: climate, bus: rs485, unit: 2, template: xy-md02, interval: 2s}
  - id: tank
    bus: rs485
    unit: 3
    interval: 500ms
    points:
      - {id: level,       register: holding 0x0000, type: uint16, unit: mm}
      - {id: setpoint,    register: holding 0x0001, type: uint16, unit: mm, interval: 5s}
      - {id: pump,        register: coil 0x0000}
      - {id: temperature, register: input 0x0000, type: int16, scale: 0.1, unit: "°C", interval: 2s}
broker:
  listen:
    - {address: "%s"}
bridges:
  - id: cloud
    url: mqtt://%s
    send:
      - {match: "{site}/#", to: "%s{topic}"}
`, port, listen, cloud, cloudPrefix)
}
