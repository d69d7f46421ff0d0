package mapping

// Classes are what a point is to Home Assistant. Auto leaves that to the unit.
type Classes struct{ Device, State string }

// Auto is the class that goes by the unit, and None is no class.
const (
	Auto = "auto"
	None = "none"
)

// classKeys are the keys that readClasses understands.
var classKeys = []string{"device_class", "state_class"}

func readClasses(m Map) Classes {
	return Classes{
		Device: m.Get("device_class").Choice(deviceClasses...),
		State:  m.Get("state_class").Choice(Auto, None, "measurement", "total", "total_increasing"),
	}
}

// deviceClasses are those of Home Assistant's sensors and binary sensors; it
// refuses a device of which one entity has another.
var deviceClasses = []string{
	Auto, None, "absolute_humidity", "apparent_power", "aqi", "area", "atmospheric_pressure", "battery", "battery_charging",
	"carbon_dioxide", "carbon_monoxide", "cold", "conductivity", "connectivity", "current", "data_rate", "data_size", "distance", "door",
	"duration", "energy", "energy_storage", "frequency", "garage_door", "gas", "heat", "humidity", "illuminance", "irradiance", "light",
	"lock", "moisture", "motion", "moving", "nitrogen_dioxide", "nitrogen_monoxide", "nitrous_oxide", "occupancy", "opening", "ozone",
	"ph", "plug", "pm1", "pm10", "pm25", "power", "power_factor", "precipitation", "precipitation_intensity", "presence", "pressure",
	"problem", "reactive_energy", "reactive_power", "running", "safety", "signal_strength", "smoke", "sound", "sound_pressure", "speed",
	"sulphur_dioxide", "tamper", "temperature", "timestamp", "vibration", "volatile_organic_compounds", "voltage", "volume",
	"volume_flow_rate", "volume_storage", "water", "weight", "wind_direction", "wind_speed", "window",
}
