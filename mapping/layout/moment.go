package layout

import (
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/mapping/point"
)

// How points in time are written. Devices other than those that count seconds
// since 1970 mean the time of their own clock and place.
const (
	utcForm    = "2006-01-02T15:04:05Z"
	localForm  = "2006-01-02T15:04:05"
	millisForm = "2006-01-02T15:04:05.000"
	dateForm   = "2006-01-02"
)

var (
	errNoMoment   = errors.New("not a date and time")
	errClockUnset = errors.New("device says that its time is invalid")
)

// momentForm is how the values of a type are written.
func momentForm(t Type) string {
	switch t {
	case Unix32:
		return utcForm
	case CP56Time2a:
		return millisForm
	case Date32BCD:
		return dateForm
	default:
		return localForm
	}
}

func (l Layout) moment(u uint64) (point.Value, error) {
	t, err := momentOf(l.typ, u)
	if err != nil {
		return point.Value{}, err
	}
	return point.TextValue(t.Format(momentForm(l.typ))), nil
}

// momentOf reads the bits of a type as a time, in UTC for want of another place.
func momentOf(t Type, u uint64) (time.Time, error) {
	if t == Unix32 {
		return time.Unix(int64(u), 0).UTC(), nil
	}
	if t == CP56Time2a {
		return cp56(u)
	}
	if t == DateTime48BCD || t == Date32BCD {
		digits, err := fromBCD(u)
		if err != nil {
			return time.Time{}, err
		}
		if t == Date32BCD {
			return date(digits/10_000, digits/100%100, digits%100, 0, 0, 0, 0)
		}
		at := func(power uint64) uint64 { return digits / power % 100 }
		return date(2000+at(1e10), at(1e8), at(1e6), at(1e4), at(1e2), at(1), 0)
	}
	at := func(shift int) uint64 { return u >> shift & 0xFF }
	return date(2000+at(40), at(32), at(24), at(16), at(8), at(0), 0)
}

// cp56 reads a CP56Time2a (IEC 60870-5-4, 6.8): milliseconds within the minute,
// minute, hour, day and day of the week, month, year. Whether it is summer there
// and which day of the week is left aside.
func cp56(u uint64) (time.Time, error) {
	if u>>23&1 != 0 {
		return time.Time{}, errClockUnset
	}
	ms := u & 0xFFFF
	return date(2000+(u>>48&0x7F), u>>40&0x0F, u>>32&0x1F, u>>24&0x1F, u>>16&0x3F, ms/1000, ms%1000)
}

// date returns the time, and an error when no calendar has it.
func date(year, month, day, hour, minute, second, ms uint64) (time.Time, error) {
	t := time.Date(int(year), time.Month(month), int(day), int(hour), int(minute), int(second), int(ms)*1e6, time.UTC)
	same := t.Month() == time.Month(month) && t.Day() == int(day) && t.Hour() == int(hour) &&
		t.Minute() == int(minute) && t.Second() == int(second) && t.Year() == int(year)
	if !same {
		return time.Time{}, errNoMoment
	}
	return t, nil
}

// rawMoment is the inverse of moment.
func (l Layout) rawMoment(v point.Value) (uint64, error) {
	form := momentForm(l.typ)
	t, err := time.Parse(form, v.Text())
	if err != nil || v.Kind() != point.Text {
		return 0, fmt.Errorf("%q is not a time in the form %s", v.String(), form)
	}
	if u, ok := bitsOf(l.typ, t); ok {
		return u, nil
	}
	return 0, fmt.Errorf("%v is out of range of a %s", v, l.shape.name)
}

// bitsOf is the inverse of momentOf.
func bitsOf(typ Type, t time.Time) (u uint64, ok bool) {
	year, month, day := uint64(t.Year()), uint64(t.Month()), uint64(t.Day())
	hour, minute, second := uint64(t.Hour()), uint64(t.Minute()), uint64(t.Second())
	century := year >= 2000 && year < 2100
	switch typ {
	case Unix32:
		return uint64(t.Unix()), t.Unix() >= 0 && t.Unix() <= math.MaxUint32
	case CP56Time2a:
		ms := 1000*second + uint64(t.Nanosecond()/1e6)
		return (year-2000)<<48 | month<<40 | day<<32 | hour<<24 | minute<<16 | ms, century
	case Date32BCD:
		return toBCD(year*10_000 + month*100 + day), year < 10_000
	case DateTime48BCD:
		return toBCD(second + 1e2*minute + 1e4*hour + 1e6*day + 1e8*month + 1e10*(year%100)), century
	default:
		return (year-2000)<<40 | month<<32 | day<<24 | hour<<16 | minute<<8 | second, century
	}
}
