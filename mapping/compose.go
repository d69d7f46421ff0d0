package mapping

import (
	"fmt"
	"slices"
)

// maxLike bounds a chain of devices that are like each other.
const maxLike = 8

// composed is a device with what it takes from its template or from another
// device.
type composed struct {
	Map
	points    []source
	onConnect source
	numbering string // of the layer that is written last
	template  string
	like      bool // stands on another device
	broken    bool // a layer is missing, and so is what it would have brought
}

// source is a point, or on_connect, and how plain numbers count where it is
// written: a device cannot shift the registers of its template.
type source struct {
	node      Node
	numbering string
}

// compose lays a device over its template or over the device it is like. ids are
// the devices that led here by like.
func (r *deviceReader) compose(own Map, ids []string) composed {
	c := r.below(own, append(ids, own.Get("id").Text()))
	if n := own.Get("numbering"); n.Present() {
		c.numbering = n.Choice(numberings...)
	}
	if !c.broken {
		c.points = override(c.points, own.Get("override"))
	}
	c.add(own)
	c.Map = own.over(c.Map)
	return c
}

// add appends the points of a layer. What it writes on connecting takes the place
// of what was below.
func (c *composed) add(layer Map) {
	for _, item := range layer.Get("points").Seq() {
		c.points = append(c.points, source{item, c.numbering})
	}
	if n := layer.Get("on_connect"); n.Present() || !c.onConnect.node.Present() {
		c.onConnect = source{n, c.numbering}
	}
}

// bus is the bus a device is on, its own or that of the device it is like.
func (c *composed) bus(example string) string {
	if c.like || c.broken {
		return c.Get("bus").Text()
	}
	return c.Need("bus", example).Text()
}

// checkPoints makes sure that there is something to read, unless what would have
// brought it is missing.
func (c *composed) checkPoints(n int) {
	switch {
	case n > 0 || c.broken:
	case c.like || c.template != "":
		c.node.Problem("enable one of its points, or set enabled: false for the device", "there is nothing to read")
	default:
		list := c.Need("points", `[{id: voltage, register: input 30001, type: float32, unit: V}]`)
		if list.Present() {
			list.Problem("add at least one point", "there is nothing to read")
		}
	}
}

// below is what a device stands on: another device, a template, or nothing.
func (r *deviceReader) below(own Map, ids []string) composed {
	like, template := own.Get("like"), own.Get("template")
	switch {
	case like.Present() && template.Present():
		template.Problem("keep one of the two", "like takes the template over, too")
		fallthrough
	case like.Present():
		return r.like(own, like, ids)
	case template.Present():
		return r.template(own, template)
	}
	if over := own.Get("override"); over.Present() {
		over.Problem("change the point itself", "there is no template and no like whose points it could change")
		return composed{numbering: numberings[0], broken: true}
	}
	return composed{numbering: numberings[0]}
}

// like is the device that own is like, without what is its own.
func (r *deviceReader) like(own Map, like Node, ids []string) composed {
	id := like.Text()
	item, ok := r.byID[id]
	switch {
	case !ok:
		like.Problem(knownDevice(id, r.byID), "there is no device %q", id)
		return composed{numbering: numberings[0], like: true, broken: true}
	case slices.Contains(ids, id) || len(ids) > maxLike:
		like.Problem("write the device out once", "device %q is like itself", id)
		return composed{numbering: numberings[0], like: true, broken: true}
	}
	c := r.compose(item.as(own.node.name).Map(deviceKeys()...), ids)
	c.like = true
	c.Map = c.only(append([]string{"bus", "labels"}, inheritedKeys()...)...)
	return c
}

func knownDevice(id string, devices map[string]Node) string {
	ids := make([]string, 0, len(devices))
	for known := range devices {
		ids = append(ids, known)
	}
	slices.Sort(ids)
	if near := nearest(id, ids); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	return "write the id of a device of this site"
}

// override lays changes over points by their ids.
func override(points []source, n Node) []source {
	if !n.Present() {
		return points
	}
	points = slices.Clone(points)
	for _, e := range n.Entries() {
		id := e.Key.Text()
		i := slices.IndexFunc(points, func(s source) bool { return s.node.peek("id").Text() == id })
		if i < 0 {
			e.Key.Problem(knownPoint(id, points), "there is no point %q to change", id)
			continue
		}
		e.Value.shape = nil // its keys are those of points, see describe, and none is required
		points[i].node = e.Value.over(points[i].node)
	}
	return points
}

func knownPoint(id string, points []source) string {
	ids := make([]string, len(points))
	for i, s := range points {
		ids[i] = s.node.peek("id").Text()
	}
	if near := nearest(id, ids); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	return fmt.Sprintf("the points are %s", list(ids))
}
