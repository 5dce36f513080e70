package variant

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// decimalDigits is the precision of a variant's widest decimal, and its greatest scale.
const decimalDigits = 38

// number is one of three forms, the narrowest that holds it exactly.
type number struct {
	form  numberForm
	i     int64
	f     float64
	d     decimal128.Num
	scale uint8
}

type numberForm uint8

const (
	integer numberForm = iota
	double
	fixedPoint
)

// canonical is the number in digits: -1.50e3 is "-15e2".
func (n number) canonical() string {
	switch n.form {
	case integer:
		return digitsOf(strconv.FormatInt(n.i, 10)).String()
	case fixedPoint:
		return digitsOf(n.d.BigInt().String() + "e-" + strconv.Itoa(int(n.scale))).String()
	}
	return digitsOf(strconv.FormatFloat(n.f, 'e', -1, 64)).String()
}

// parseNumber takes a number in JSON's grammar.
func parseNumber(text string) (number, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return number{form: integer, i: i}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return number{}, ErrNumber
	}
	exact := digitsOf(text)
	if digitsOf(strconv.FormatFloat(f, 'e', -1, 64)) == exact {
		return number{form: double, f: f}, nil
	}
	if d, scale, ok := exact.decimal(); ok {
		return number{form: fixedPoint, d: d, scale: scale}, nil
	}
	return number{form: double, f: f}, nil
}

// digits is a number without what does not count: digits, neither beginning nor ending with 0, times a power of ten. Zero has none.
type digits struct {
	negative bool
	digits   string
	power    int
}

func (d digits) String() string {
	sign := ""
	if d.negative {
		sign = "-"
	}
	return sign + d.digits + "e" + strconv.Itoa(d.power)
}

// digitsOf takes numbers in JSON's grammar. Powers beyond what a double or decimal has are cut to that.
func digitsOf(text string) digits {
	var d digits
	text, d.negative = strings.CutPrefix(text, "-")
	mantissa, power, _ := strings.Cut(strings.ToLower(text), "e")
	if power != "" {
		n, err := strconv.Atoi(power)
		if err != nil || n < -math.MaxInt32 {
			n = -math.MaxInt32 // a number so large is refused before
		}
		d.power = n
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	d.digits = strings.TrimRight(all, "0")
	d.power += len(all) - len(d.digits) - len(fraction)
	d.digits = strings.TrimLeft(d.digits, "0")
	if d.digits == "" {
		return digits{}
	}
	return d
}

// decimal returns the number as a variant's decimal, if it is one.
func (d digits) decimal() (decimal128.Num, uint8, bool) {
	scale, text := max(-d.power, 0), d.digits
	if d.power > decimalDigits || scale > decimalDigits {
		return decimal128.Num{}, 0, false
	}
	text += strings.Repeat("0", max(d.power, 0))
	if len(text) > decimalDigits {
		return decimal128.Num{}, 0, false
	}
	n, _ := new(big.Int).SetString(text, 10) // digits only
	if d.negative {
		n.Neg(n)
	}
	return decimal128.FromBigInt(n), uint8(scale), true
}
