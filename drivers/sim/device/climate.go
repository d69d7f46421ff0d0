package device

import (
	"math"
	"time"
)

// Addresses of the climate sensor's input registers.
const (
	ClimateTemperature = 1 // int16, tenths of a degree Celsius
	ClimateHumidity    = 2 // tenths of a per cent, relative
)

// Climate is a temperature and humidity sensor in the manner of an XY-MD02, in
// an unheated hall.
type Climate struct{}

// Identity names the sensor.
func (Climate) Identity() Identity { return Identity{"Sluice", "climate sensor", "1.0"} }

// Write refuses: nothing can be set.
func (Climate) Write(time.Time, Table, uint16, []uint16) error { return IllegalFunction }

// Read returns the two input registers as they are at that time.
func (Climate) Read(at time.Time, t Table, address uint16, words []uint16) error {
	switch {
	case t != Input:
		return IllegalFunction
	case address < ClimateTemperature || int(address)+len(words) > ClimateHumidity+1:
		return IllegalAddress
	}
	values := [...]Signal{hallTemperature, hallHumidity}
	for i := range words {
		words[i] = tenths(values[int(address)-ClimateTemperature+i].At(at))
	}
	return nil
}

// tenths is a value in tenths, two's complement.
func tenths(v float64) uint16 { return uint16(int16(math.Round(10 * v))) }
