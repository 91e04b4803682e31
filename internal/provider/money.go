package provider

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Money is an amount in ticks of 1e-10 USD, the unit in which xAI reports the
// cost of a request (usage.cost_in_usd_ticks).
type Money int64

// Dollar is one USD.
const Dollar Money = 1e10

// String prints at least two and at most ten decimals: $0.02, $1.605, $0.0034.
func (m Money) String() string {
	if m < 0 {
		return "-" + (-m).String()
	}
	return "$" + m.Decimal()
}

// Decimal is String without sign and currency, as written in the lockfile.
func (m Money) Decimal() string {
	s := fmt.Sprintf("%d.%010d", int64(m/Dollar), int64(m%Dollar))
	s = strings.TrimRight(s, "0")
	if i := strings.IndexByte(s, '.'); len(s)-i-1 < 2 {
		s += strings.Repeat("0", 2-(len(s)-i-1))
	}
	return s
}

// ParseMoney reads a plain decimal number of USD such as "0.02", with at most
// ten decimals.
func ParseMoney(s string) (Money, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" || len(frac) > 10 || strings.Trim(whole+frac, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not an amount in USD such as 0.02", s)
	}
	n, err := strconv.ParseInt(whole+frac+strings.Repeat("0", 10-len(frac)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is more money than can be counted", s)
	}
	return Money(n), nil
}

// MoneyFromBig converts a number of USD, as configuration gives it.
func MoneyFromBig(f *big.Float) (Money, error) { return ParseMoney(f.Text('f', 10)) }

// MarshalText prints Decimal.
func (m Money) MarshalText() ([]byte, error) { return []byte(m.Decimal()), nil }

func (m *Money) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMoney(string(b))
	return err
}
