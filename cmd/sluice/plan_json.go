package main

import (
	"encoding/json"
	"io"
	"time"

	"sluice/gateway"
	"sluice/gateway/poll"
)

// The objects of `sluice plan -json`, one a line; kind tells them apart. Times are
// milliseconds, loads are shares of a line's time.
type (
	plannedBus struct {
		Kind    string  `json:"kind"` // bus
		ID      string  `json:"id"`
		Load    float64 `json:"load"`
		High    float64 `json:"load_high_priority"`
		Limit   float64 `json:"limit"`
		Stretch float64 `json:"stretch"` // by which periods of normal priority become longer
	}
	plannedRequest struct {
		Kind     string   `json:"kind"` // request
		Bus      string   `json:"bus"`
		Device   string   `json:"device"`
		Function string   `json:"function"`
		Address  uint16   `json:"address"`
		Count    uint16   `json:"count"`
		Time     float64  `json:"time_ms"`
		Points   []string `json:"points"`
		Late     []string `json:"late,omitempty"` // points asked for more often than the request can be done
	}
	plannedTopic struct {
		Kind     string  `json:"kind"` // topic
		Topic    string  `json:"topic"`
		Device   string  `json:"device"`
		Interval float64 `json:"interval_ms"`
		Bytes    int     `json:"bytes"`
		Retained bool    `json:"retained"`
	}
	plannedBridge struct {
		Kind     string  `json:"kind"` // bridge
		ID       string  `json:"id"`
		Topics   int     `json:"topics"`
		Messages float64 `json:"messages_per_day"`
		Bytes    float64 `json:"bytes_per_day"`
	}
)

// planJSON writes a forecast, one object a line.
func planJSON(w io.Writer, f gateway.Forecast) error {
	var all []any
	for _, b := range f.Buses {
		all = append(all, plannedBus{"bus", b.ID, b.Load, b.High, poll.Full, b.Stretch()})
		for _, d := range b.Devices {
			for i := range d.Blocks {
				all = append(all, requestOf(b.ID, d, i))
			}
		}
	}
	for _, t := range f.Topics {
		all = append(all, plannedTopic{"topic", t.Topic, t.Device.ID, milliseconds(t.Interval), t.Bytes, t.Retain})
	}
	for _, b := range f.Bridges {
		all = append(all, plannedBridge{"bridge", b.ID, b.Topics, b.Messages, b.Bytes})
	}
	e := json.NewEncoder(w)
	for _, object := range all {
		if err := e.Encode(object); err != nil {
			return err
		}
	}
	return nil
}

func requestOf(bus string, d poll.DeviceProspect, i int) plannedRequest {
	req := d.Blocks[i].Request
	r := plannedRequest{Kind: "request", Bus: bus, Device: d.ID, Function: req.Function.String(), Address: req.Address, Count: req.Count, Time: milliseconds(d.Times[i])}
	for _, p := range d.Blocks[i].Points() {
		r.Points = append(r.Points, p.ID)
		if d.Times[i] > p.Interval {
			r.Late = append(r.Late, p.ID)
		}
	}
	return r
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
