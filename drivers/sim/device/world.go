package device

import "time"

// What the ready devices measure. Slow waves make a trend worth a chart, fast
// ones make every poll differ a little.
var (
	gridFrequency = Signal{50, []Wave{
		{0.018, 97 * time.Second, 0},
		{0.012, 23 * time.Second, 0.4},
	}}
	hallTemperature = Signal{18.5, []Wave{
		{6.0, 24 * time.Hour, 0.375}, // warmest at three in the afternoon UTC
		{0.4, 7 * time.Minute, 0},
	}}
	hallHumidity = Signal{54, []Wave{
		{11, 24 * time.Hour, 0.875}, // driest when warmest
		{1.2, 11 * time.Minute, 0.3},
	}}
	motorTemperature = Signal{46, []Wave{
		{9, 13 * time.Minute, 0},
		{0.6, 41 * time.Second, 0.2},
	}}
)

// phase is one phase of the supply and the load on it.
type phase struct {
	voltage Signal // V
	power   Signal // W, always more than 0
	factor  float64
}

var meterPhases = [3]phase{
	{
		voltage: Signal{230.6, []Wave{{2.4, 17 * time.Minute, 0}, {0.7, 19 * time.Second, 0.1}}},
		power:   Signal{1480, []Wave{{620, 24 * time.Hour, 0.29}, {310, 6 * time.Minute, 0}, {45, 13 * time.Second, 0.6}}},
		factor:  0.96,
	},
	{
		voltage: Signal{229.8, []Wave{{2.1, 21 * time.Minute, 0.3}, {0.6, 23 * time.Second, 0.5}}},
		power:   Signal{910, []Wave{{380, 24 * time.Hour, 0.31}, {160, 9 * time.Minute, 0.2}, {30, 17 * time.Second, 0.1}}},
		factor:  0.91,
	},
	{
		voltage: Signal{231.3, []Wave{{2.6, 14 * time.Minute, 0.7}, {0.8, 29 * time.Second, 0.2}}},
		power:   Signal{2240, []Wave{{740, 24 * time.Hour, 0.30}, {520, 4 * time.Minute, 0.5}, {60, 11 * time.Second, 0.8}}},
		factor:  0.88,
	},
}
