package shape

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
)

// Length is a number of pixels, or a percentage of a side of the picture.
type Length struct {
	micro   int64 // millionths
	Percent bool
}

const (
	unit = 1_000_000
	// most is the largest number there may be: more than any side of a picture.
	most = 100_000
	// Sub is how many parts a pixel has in a Point.
	Sub = 256
)

// Pixels is a length of n pixels.
func Pixels(n int) Length { return Length{micro: int64(n) * unit} }

// Sign is -1, 0 or 1.
func (l Length) Sign() int {
	switch {
	case l.micro < 0:
		return -1
	case l.micro > 0:
		return 1
	}
	return 0
}

// Whole reports whether l is a whole number of pixels, or a percentage.
func (l Length) Whole() bool { return l.Percent || l.micro%unit == 0 }

// Of is l in pixels on a side, rounded.
func (l Length) Of(side int) int {
	if l.Percent {
		return int(mulDiv(l.micro, int64(side), 100*unit))
	}
	return int(mulDiv(l.micro, 1, unit))
}

// Span is the pixels of a side that l covers from at on. In percent its end is
// rounded, not its length, so that neighbours meet.
func (l Length) Span(at Length, side int) (from, n int) {
	from, n = at.Of(side), l.Of(side)
	if at.Percent && l.Percent {
		n = Length{at.micro + l.micro, true}.Of(side) - from
	}
	return from, n
}

// String is what ParseLength reads, without zeros at the end.
func (l Length) String() string {
	s := decimal(l.micro)
	if l.Percent {
		s += "%"
	}
	return s
}

func decimal(micro int64) string {
	sign := ""
	if micro < 0 {
		sign, micro = "-", -micro
	}
	s := strconv.FormatInt(micro/unit, 10)
	if rest := micro % unit; rest > 0 {
		digits := strconv.FormatInt(unit+rest, 10)[1:]
		s += "." + strings.TrimRight(digits, "0")
	}
	return sign + s
}

var errLength = errors.New("is neither a number of pixels nor a percentage")

// ParseLength reads "12", "-3.5" or "45%". What is beyond six decimals is
// rounded away.
func ParseLength(s string) (Length, error) {
	number, percent := strings.CutSuffix(s, "%")
	micro, n, err := scanNumber(number)
	if err == nil && n != len(number) {
		err = errLength
	}
	return Length{micro, percent}, err
}

var errLarge = errors.New("is larger than " + strconv.Itoa(most))

// scanNumber reads the decimal number that s begins with, in millionths, and
// tells its length.
func scanNumber(s string) (micro int64, n int, err error) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digit := func() bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	var mantissa, scale int64 = 0, 0
	digits, after := 0, false
	for ; digit() || !after && i < len(s) && s[i] == '.'; i++ {
		if s[i] == '.' {
			after = true
			continue
		}
		digits++
		if mantissa >= 1e16 { // more digits than count
			if !after {
				scale++
			}
			continue
		}
		mantissa = 10*mantissa + int64(s[i]-'0')
		if after {
			scale--
		}
	}
	if digits == 0 {
		return 0, i, errLength
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		mark := i
		i++
		minus := i < len(s) && s[i] == '-'
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		if !digit() {
			i = mark // no exponent: a letter that follows
		} else {
			var e int64
			for ; digit(); i++ {
				e = min(10*e+int64(s[i]-'0'), 1000)
			}
			if minus {
				e = -e
			}
			scale += e
		}
	}
	micro, scale = mantissa, scale+6
	for ; scale > 0 && micro != 0; scale-- {
		if micro > most*unit {
			return 0, i, errLarge
		}
		micro *= 10
	}
	rest := int64(1)
	for ; scale < 0 && micro > 0; scale++ {
		if rest > 1e17 {
			micro = 0
			break
		}
		rest *= 10
	}
	micro = (micro + rest/2) / rest
	if micro > most*unit {
		return 0, i, errLarge
	}
	if s[0] == '-' {
		micro = -micro
	}
	return micro, i, nil
}

// in is the length in parts of a pixel, where side is what a percentage is of.
func (l Length) in(side int) int64 {
	if l.Percent {
		return mulDiv(l.micro, int64(side)*Sub, 100*unit)
	}
	return mulDiv(l.micro, Sub, unit)
}

// mulDiv is a*b/c, rounded to the nearest, halves away from zero. b and c are
// positive; the result must fit.
func mulDiv(a, b, c int64) int64 {
	u := uint64(a)
	if a < 0 {
		u = -u
	}
	hi, lo := bits.Mul64(u, uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)/2, 0)
	q, _ := bits.Div64(hi+carry, lo, uint64(c))
	if a < 0 {
		return -int64(q)
	}
	return int64(q)
}
