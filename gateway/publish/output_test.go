package publish_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// plant is a device with three points: two read every second in two requests, one
// every minute.
func plant(outputs ...publish.Output) publish.Config {
	return publish.Config{
		Site: "plant", Gateway: "gw-1", Outputs: outputs,
		Devices: []mapping.Device{{ID: "meter", Name: "Main meter", Template: "sdm", Labels: map[string]string{"line": "line-4"}, Points: []mapping.Point{
			{ID: "u", Interval: time.Second, Unit: "V"}, {ID: "i", Interval: time.Second}, {ID: "e", Interval: time.Minute},
		}}},
	}
}

func to(template string, form payload.Form) publish.Output {
	name, err := topic.ParseTemplate(template)
	if err != nil {
		panic(err)
	}
	return publish.Output{Topic: name, Format: payload.Format{Form: form}}
}

// at is a good reading of the meter so many milliseconds after the full minute;
// one without a value is bad.
func at(ms int64, id string, v ...float64) point.Reading {
	r := point.Reading{Device: "meter", Point: id, Time: time.UnixMilli(1795212000000 + ms)}
	if len(v) == 0 {
		r.Quality, r.Reason = point.Bad, "timeout"
	} else {
		r.Value = point.FloatValue(v[0])
	}
	return r
}

type batch = []point.Reading

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "17952120", "") // leaves 00000 for the full minute
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOneObjectForWhatIsPolledTogether(t *testing.T) {
	got := published(t, plant(to("{device}", payload.Device)),
		batch{at(0, "u", 1)}, batch{at(20, "i", 2), at(20, "e", 3)}, // two requests; the second carries e, too
		batch{at(1000, "u", 4)}, batch{at(1020, "i", 5)})
	want(t, got,
		`meter {"ts":00020,"quality":"good","u":1.0,"i":2.0}`,
		`meter {"ts":00020,"quality":"good","e":3.0}`,
		`meter {"ts":01020,"quality":"good","u":4.0,"i":5.0}`)
}

// TestSilentPartHoldsUpNobody has a point that is not asked for any longer, and
// comes back.
func TestSilentPartHoldsUpNobody(t *testing.T) {
	got := published(t, plant(to("{device}", payload.Device)),
		batch{at(0, "u", 1)}, batch{at(20, "i")},
		batch{at(1000, "u", 2)}, batch{at(2000, "u", 3)}, batch{at(3000, "u", 4)},
		batch{at(4000, "u", 5)}, batch{at(4020, "i", 6)}, batch{at(5000, "u", 7)}, batch{at(5020, "i", 8)})
	want(t, got,
		`meter {"ts":00020,"quality":"bad","reason":"timeout","u":1.0,"i":null}`,
		`meter {"ts":01000,"quality":"good","u":2.0}`, // when the next poll shows that i is not coming
		`meter {"ts":02000,"quality":"good","u":3.0}`,
		`meter {"ts":03000,"quality":"good","u":4.0}`,
		`meter {"ts":04000,"quality":"good","u":5.0}`,
		`meter {"ts":04020,"quality":"good","i":6.0}`, // never beside a value of another poll
		`meter {"ts":05020,"quality":"good","u":7.0,"i":8.0}`)
}

// TestUnchangedObject makes sure that an object goes out whole when one of its
// points has something to say, and not at all otherwise.
func TestUnchangedObject(t *testing.T) {
	cfg := plant(to("{device}", payload.Device))
	for i := range cfg.Devices[0].Points {
		cfg.Devices[0].Points[i].Report = mapping.Report{When: mapping.OnChange, Deadband: 0.5}
	}
	got := published(t, cfg,
		batch{at(0, "u", 1), at(0, "i", 2)}, batch{at(1000, "u", 1.2), at(1000, "i", 2)},
		batch{at(2000, "u", 1.4), at(2000, "i", 3)}, batch{at(3000, "u", 1.4), at(3000, "i")})
	want(t, got,
		`meter {"ts":00000,"quality":"good","u":1.0,"i":2.0}`,
		`meter {"ts":02000,"quality":"good","u":1.4,"i":3.0}`,
		`meter {"ts":03000,"quality":"bad","reason":"timeout","u":1.4,"i":null}`)
}

func TestOutputWithInterval(t *testing.T) {
	history := to("history/{device}", payload.Device)
	history.ID, history.Interval = "history", 10*time.Second
	single := to("every10/{device}/{point}", payload.Value)
	single.Interval, single.Points = 10*time.Second, []string{"u"}
	cfg := plant(history, single)
	for i := range cfg.Devices[0].Points {
		cfg.Devices[0].Points[i].Report = mapping.Report{When: mapping.OnChange} // which it does not care for
	}
	got := published(t, cfg,
		batch{at(1000, "u", 1), at(1000, "i", 2)}, batch{at(1100, "e", 3)}, batch{at(2000, "u", 1), at(2000, "i", 2)},
		batch{at(9990, "u", 4), at(9990, "i", 2)}, batch{at(10990, "u", 5), at(10990, "i", 2)},
		batch{at(12000, "u", 6), at(12000, "i")}, batch{at(13000, "u", 6), at(13000, "i")}, batch{at(20001, "u", 6), at(20001, "i")})
	want(t, got,
		`every10/meter/u 1.0`,
		`history/meter {"ts":01100,"quality":"good","u":1.0,"i":2.0,"e":3.0}`,
		`every10/meter/u 5.0`,
		`history/meter {"ts":10990,"quality":"good","u":5.0,"i":2.0,"e":3.0}`,
		`history/meter {"ts":12000,"quality":"bad","reason":"timeout","u":6.0,"i":null,"e":3.0}`,
		`every10/meter/u 6.0`,
		`history/meter {"ts":20001,"quality":"bad","reason":"timeout","u":6.0,"i":null,"e":3.0}`)
}

func TestFilterAndLabels(t *testing.T) {
	o := to("{site}/{line}/{template}/{device}/{point}", payload.JSON)
	o.Points = []string{"[ui]"}
	other := to("x/{point}", payload.JSON)
	other.Devices = []string{"pump-*"}
	cfg := plant(o, other)
	want(t, published(t, cfg, batch{at(0, "u", 1), at(0, "e", 2)}), `plant/line-4/sdm/meter/u {"value":1.0,"quality":"good","ts":00000}`)
	if got := cfg.Topics(); !slices.Equal(got, []string{"plant/line-4/sdm/meter/u", "plant/line-4/sdm/meter/i"}) {
		t.Errorf("topics %q", got)
	}
}

func TestInfluxLines(t *testing.T) {
	got := published(t, plant(to("influx/{device}", payload.Influx), to("influx/{device}/{point}", payload.Influx)), batch{at(0, "u", 1), at(0, "i")})
	want(t, got,
		`influx/meter/u modbus,device=meter,gateway=gw-1,line=line-4,point=u,site=plant u=1.0,quality="good" 00000000000`,
		`influx/meter/i modbus,device=meter,gateway=gw-1,line=line-4,point=i,site=plant quality="bad",reason="timeout" 00000000000`,
		`influx/meter modbus,device=meter,gateway=gw-1,line=line-4,site=plant u=1.0,quality="bad",reason="timeout" 00000000000`)
}

func TestForecastOfMessages(t *testing.T) {
	history := to("history/{device}", payload.Device)
	history.Interval = 10 * time.Second
	cfg := plant(to("{device}", payload.Device), history)
	cfg.Devices[0].Points[1].Report.MinInterval = time.Hour // of a group the busiest point decides
	var got []string
	for _, m := range cfg.Messages() {
		got = append(got, m.Topic+" "+mapping.FormatDuration(m.Interval)+" "+strings.Repeat("p", len(m.Points)))
	}
	want(t, got, "meter 1s pp", "meter 1m p", "history/meter 10s ppp")
}

// TestFailingTemplate makes sure that a template which fails on one value is no
// reason to keep the others.
func TestFailingTemplate(t *testing.T) {
	o := to("{device}/{point}", payload.Custom)
	var err error
	if o.Format.Template, err = payload.ParseTemplate(`{{if eq .Point "u"}}{{index .Value 99}}{{end}}{{.Text}}`); err != nil {
		t.Fatal(err)
	}
	want(t, published(t, plant(o), batch{at(0, "u", 1), at(0, "i", 2)}), "meter/i 2.0")
}

func BenchmarkPublish(b *testing.B) {
	points := make([]mapping.Point, 52)
	readings := make([]point.Reading, len(points))
	for i := range points {
		id := "point-" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		points[i] = mapping.Point{ID: id, Unit: "V", Interval: time.Second}
		readings[i] = point.Reading{Device: "meter", Point: id, Unit: "V", Value: point.FloatValue(230.5), Time: time.UnixMilli(1795211000123)}
	}
	for _, bench := range []struct {
		name   string
		output publish.Output
	}{{"json", to("{site}/{device}/{point}", payload.JSON)}, {"device", to("{site}/{device}", payload.Device)}} {
		b.Run(bench.name, func(b *testing.B) {
			cfg := publish.Config{Site: "plant", Devices: []mapping.Device{{ID: "meter", Points: points}}, Outputs: []publish.Output{bench.output}}
			publish.MeasurePoll(b, cfg, readings)
		})
	}
}
