package command

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/point"
)

var errExpired = errors.New("the command has expired")

// readTime bounds reading back.
const readTime = 10 * time.Second

// carryOut writes, once the journal knows of it, and reads back.
func (k *desk) carryOut(ctx context.Context, j job) Result {
	block := k.block(j.point)
	current, err := k.current(ctx, j.point, block)
	if err != nil {
		return unsent(err, "it could not be read, which must come first: ")
	}
	req, err := j.point.WriteRequest(k.Unit, j.value, current)
	if err != nil {
		return result(Rejected, "%v", err)
	}
	err = k.commander.cfg.Journal.begin(ctx, j.topic, j.id)
	if ctx.Err() != nil {
		return unsent(context.Cause(ctx), "")
	}
	if err != nil {
		return result(Failed, "it was not carried out, as it cannot be remembered: %v", err)
	}
	if _, err := k.Exchange(ctx, req, k.timing()); err != nil {
		return outcomeOf(err)
	}
	if !j.point.Write.Verify {
		return result(OK, "")
	}
	return k.verify(context.WithoutCancel(ctx), block, written(req))
}

// block is the request that reads the point alone.
func (k *desk) block(p *mapping.Point) mapping.Block {
	return k.Plan([]*mapping.Point{p}, mapping.Terms{Line: k.Line, Gap: k.Gap})[0]
}

// current is what the registers hold, where a write must know it.
func (k *desk) current(ctx context.Context, p *mapping.Point, b mapping.Block) ([]byte, error) {
	if p.Fills() {
		return nil, nil
	}
	data, err := k.Exchange(ctx, b.Request, k.timing())
	if err != nil {
		return nil, err
	}
	return b.Raw(data)[0], nil
}

func (k *desk) timing() modbus.Timing {
	return modbus.Timing{Timeout: k.Timeout, Gap: max(k.Gap, k.Rest), NoCanary: k.NoCanary}
}

// verify reads back, and compares with what the device should hold.
func (k *desk) verify(ctx context.Context, b mapping.Block, want []byte) Result {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	data, err := k.Exchange(ctx, b.Request, k.timing())
	if err != nil {
		return result(OK, "the device confirmed it; it could not be read back: %s", reasonOf(err))
	}
	got, expected := k.decoded(b, data), k.decoded(b, want)
	r := result(OK, "")
	if got.Value != expected.Value {
		r = result(Failed, "the device confirmed it, and holds another value")
	}
	r.Value = jsonValue(got.Value)
	return r
}

func (k *desk) decoded(b mapping.Block, data []byte) point.Reading {
	return b.AppendReadings(nil, k.ID, data, time.Time{})[0]
}

// written is how a request that writes leaves its registers or coils, as a reply
// would have them. A mask write names only the bits that it changes.
func written(r modbus.Request) []byte {
	switch r.Function {
	case modbus.MaskWriteRegister:
		return r.Data[2:]
	case modbus.WriteSingleCoil:
		return []byte{byte(binary.BigEndian.Uint16(r.Data) >> 15)}
	default:
		return r.Data
	}
}

// unsent is the result of a command whose write has not gone out for a reason.
func unsent(err error, before string) Result {
	if errors.Is(err, errExpired) {
		return result(Expired, "it could not go out in time")
	}
	if errors.Is(err, context.Canceled) {
		return result(Failed, "%sthe gateway stops, or reads its site file again", before)
	}
	return result(Failed, "%s%s", before, reasonOf(err))
}

// outcomeOf is the result of a command whose write failed.
func outcomeOf(err error) Result {
	if errors.Is(err, modbus.ErrNotSent) {
		return unsent(err, "")
	}
	if e, ok := exceptionOf(err); ok && e != acknowledge && e != targetSilent {
		return result(Refused, "%s", reasonOf(err))
	}
	return result(Unknown, "%s", reasonOf(err))
}

// The exceptions after which a command may yet be carried out (Modbus Application
// Protocol V1.1b3, section 7): it takes a while, or it went on to a device that did
// not answer the gateway in between.
const (
	acknowledge  = 5
	targetSilent = 11
)

// exceptionOf is the exception that a device answered with.
func exceptionOf(err error) (code byte, ok bool) {
	e, ok := errors.AsType[*modbus.Error](err)
	if !ok || e.Exception == 0 {
		return 0, false
	}
	return e.Exception, true
}
