package filter

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// momentLayouts are the ISO 8601 forms of a point in time. Those without an offset are UTC.
var momentLayouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02",
}

// parseMoment returns microseconds since 1970, and whether the text names an offset.
func parseMoment(text string) (micros int64, zoned bool, err error) {
	for i, layout := range momentLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMicro(), i < 3, nil
		}
	}
	return 0, false, fmt.Errorf("%q is not an ISO 8601 time", text)
}

func formatTime(micros int64) string {
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05.999999Z07:00")
}

const microsPerDay = 24 * int64(time.Hour/time.Microsecond)

func parseDate(text string) (days int64, err error) {
	t, err := time.Parse("2006-01-02", text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date (YYYY-MM-DD)", text)
	}
	return t.Unix() / 86400, nil // exact: midnight, UTC
}

func formatDate(days int64) string { return time.Unix(days*86400, 0).UTC().Format("2006-01-02") }

// parseClock reads HH:MM:SS with up to six decimals; 24:00:00 is the end of the day.
func parseClock(text string) (micros int64, err error) {
	if text == "24:00:00" {
		return microsPerDay, nil
	}
	t, err := time.Parse("15:04:05.999999", text)
	if err != nil || len(text) > len("15:04:05.999999") {
		return 0, fmt.Errorf("%q is not a time of day (HH:MM:SS)", text)
	}
	return int64(t.Sub(t.Truncate(24*time.Hour)) / time.Microsecond), nil
}

func formatClock(micros int64) string {
	if micros == microsPerDay {
		return "24:00:00"
	}
	return time.UnixMicro(micros).UTC().Format("15:04:05.999999")
}

// interval is an ISO 8601 duration. Months and days follow the calendar (UTC), the rest is a fixed number of microseconds.
type interval struct {
	months, days int
	micros       int64
	text         string
}

// limits of an interval, so that no sum overflows an int64 of microseconds.
const (
	maxIntervalMonths = 12 * 10_000
	maxIntervalDays   = 366 * 10_000
)

// parseInterval reads P1Y2M3W4DT5H6M7.5S; any part may be left out, only the seconds may have a fraction, and a sign may stand
// before the P.
func parseInterval(text string) (interval, error) {
	bad := fmt.Errorf("%q is not an ISO 8601 duration", text)
	out := interval{text: text}
	sign, rest := int64(1), text
	if strings.HasPrefix(rest, "-") {
		sign, rest = -1, rest[1:]
	}
	if !strings.HasPrefix(rest, "P") || len(rest) < 3 {
		return out, bad
	}
	var clock bool
	for rest = rest[1:]; rest != ""; {
		if rest[0] == 'T' && !clock && len(rest) > 1 {
			clock, rest = true, rest[1:]
			continue
		}
		end := strings.IndexAny(rest, "YMWDHS")
		if end <= 0 {
			return out, bad
		}
		if !out.add(rest[:end], rest[end], clock, sign) {
			return out, bad
		}
		rest = rest[end+1:]
	}
	if abs(out.months) > maxIntervalMonths || abs(out.days) > maxIntervalDays {
		return out, fmt.Errorf("%q is longer than 10000 years", text)
	}
	return out, nil
}

// add adds one part of a duration.
func (v *interval) add(number string, unit byte, clock bool, sign int64) bool {
	if unit == 'S' && clock {
		d, err := time.ParseDuration(number + "s")
		v.micros += sign * int64(d/time.Microsecond)
		return err == nil && number[0] != '-' && number[0] != '+'
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n > maxIntervalDays {
		return false
	}
	amount := sign * int64(n)
	switch {
	case unit == 'Y' && !clock:
		v.months += 12 * int(amount)
	case unit == 'M' && !clock:
		v.months += int(amount)
	case unit == 'W' && !clock:
		v.days += 7 * int(amount)
	case unit == 'D' && !clock:
		v.days += int(amount)
	case unit == 'H' && clock:
		v.micros += amount * int64(time.Hour/time.Microsecond)
	case unit == 'M' && clock:
		v.micros += amount * int64(time.Minute/time.Microsecond)
	default:
		return false
	}
	return true
}

// shift adds the interval sign times to a point in time. A day past the end of a month runs into the next one, as in Milvus.
func (v *interval) shift(micros int64, sign int) int64 {
	if v.months == 0 {
		return micros + int64(sign)*(v.micros+int64(v.days)*microsPerDay)
	}
	return time.UnixMicro(micros).UTC().AddDate(0, sign*v.months, sign*v.days).UnixMicro() + int64(sign)*v.micros
}
