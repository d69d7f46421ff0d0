package device

// Functions 8, 17 and 43/14 (Modbus Application Protocol V1.1b3, sections 6.8,
// 6.13 and 6.21).

// Ways to ask for the identity, and how much of it there is.
const (
	basicStream   = 1
	oneObject     = 4
	conformity    = 0x81 // basic, as a stream and object by object
	running       = 0xFF
	serverID      = 1
	maxObjectSize = 60
)

func (c call) diagnose() ([]byte, error) {
	switch {
	case len(c.request) < 3:
		return nil, IllegalValue
	case c.word(1) != returnQueryData:
		return nil, IllegalFunction
	}
	return c.echo(len(c.request)), nil
}

func (c call) reportID() ([]byte, error) {
	objects, err := c.objects()
	if err != nil {
		return nil, err
	}
	if len(c.request) != 1 {
		return nil, IllegalValue
	}
	text := objects[0] + " " + objects[1] + " " + objects[2]
	return append([]byte{c.request[0], byte(2 + len(text)), serverID, running}, text...), nil
}

func (c call) identify() ([]byte, error) {
	objects, err := c.objects()
	switch {
	case err != nil:
		return nil, err
	case len(c.request) < 2 || c.request[1] != deviceIdentity:
		return nil, IllegalFunction
	case len(c.request) != 4:
		return nil, IllegalValue
	}
	way, first := c.request[2], int(c.request[3])
	switch {
	case way == oneObject && first >= len(objects):
		return nil, IllegalAddress
	case way == oneObject:
		objects = objects[:first+1]
	case way < basicStream || way > oneObject:
		return nil, IllegalValue
	case first >= len(objects): // an unknown object restarts the stream
		first = 0
	}
	// Who is asked for more than it has gives what it has.
	return c.stream(way, first, objects), nil
}

// stream lists objects from first on; they always fit one reply.
func (c call) stream(way byte, first int, objects []string) []byte {
	reply := []byte{c.request[0], deviceIdentity, way, conformity, 0, 0, byte(len(objects) - first)}
	for i := first; i < len(objects); i++ {
		reply = append(reply, byte(i), byte(len(objects[i])))
		reply = append(reply, objects[i]...)
	}
	return reply
}

// objects are the three texts of the basic identity.
func (c call) objects() ([]string, error) {
	d, ok := c.device.(Identifier)
	if !ok {
		return nil, IllegalFunction
	}
	id := d.Identity()
	texts := []string{id.Vendor, id.Product, id.Revision}
	for i, s := range texts {
		texts[i] = s[:min(len(s), maxObjectSize)]
	}
	return texts, nil
}
