package config

import (
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"net"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apparentlymart/go-cidr/cidr"
	"github.com/google/uuid"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"
	textencoding "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
)

func base64encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
func urlencode(s string) string    { return url.QueryEscape(s) }
func baseName(s string) string     { return path.Base(s) }
func dirName(s string) string      { return path.Dir(s) }

func sumMD5(b []byte) []byte    { sum := md5.Sum(b); return sum[:] }
func sumSHA1(b []byte) []byte   { sum := sha1.Sum(b); return sum[:] }
func sumSHA256(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] }
func sumSHA512(b []byte) []byte { sum := sha512.Sum512(b); return sum[:] }

func inHex(sum func([]byte) []byte) func([]byte) string {
	return func(b []byte) string { return hex.EncodeToString(sum(b)) }
}

func inBase64(sum func([]byte) []byte) func([]byte) string {
	return func(b []byte) string { return base64encode(sum(b)) }
}

func ofText(f func([]byte) string) func(string) string {
	return func(s string) string { return f([]byte(s)) }
}

var base64decode = function.New(&function.Spec{
	Params: []function.Parameter{textParam("str")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		b, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil || !utf8.Valid(b) {
			return cty.NilVal, function.NewArgErrorf(0, "is not base64 of UTF-8 text")
		}
		return cty.StringVal(string(b)), nil
	},
})

// base64gzip flushes before it closes, as Terraform does, which leaves an empty
// block in the stream.
var base64gzip = function.New(&function.Spec{
	Params: []function.Parameter{textParam("str")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var b strings.Builder
		out := base64.NewEncoder(base64.StdEncoding, &b)
		zip := gzip.NewWriter(out)
		_, err := zip.Write([]byte(args[0].AsString()))
		if err := errors.Join(err, zip.Flush(), zip.Close(), out.Close()); err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(b.String()), nil
	},
})

// encodingOf finds an encoding by a name that IANA has for it.
func encodingOf(arg int, name string) (textencoding.Encoding, error) {
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		return nil, function.NewArgErrorf(arg, "%s is not the name of a known encoding, such as UTF-16LE or ISO-8859-1", quoteKey(name))
	}
	return e, nil
}

var textencodebase64 = function.New(&function.Spec{
	Params: []function.Parameter{textParam("string"), textParam("encoding")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		e, err := encodingOf(1, args[1].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		b, err := e.NewEncoder().String(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "has a character that %s does not have", args[1].AsString())
		}
		return cty.StringVal(base64encode([]byte(b))), nil
	},
})

var textdecodebase64 = function.New(&function.Spec{
	Params: []function.Parameter{textParam("source"), textParam("encoding")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		e, err := encodingOf(1, args[1].AsString())
		if err != nil {
			return cty.NilVal, err
		}
		b, err := base64.StdEncoding.DecodeString(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "is not base64")
		}
		if b, err = e.NewDecoder().Bytes(b); err != nil || strings.ContainsRune(string(b), utf8.RuneError) {
			return cty.NilVal, function.NewArgErrorf(0, "is not a text in %s", args[1].AsString())
		}
		return cty.StringVal(string(b)), nil
	},
})

var uuidNamespaces = map[string]uuid.UUID{"dns": uuid.NameSpaceDNS, "url": uuid.NameSpaceURL, "oid": uuid.NameSpaceOID, "x500": uuid.NameSpaceX500}

var uuidv5 = function.New(&function.Spec{
	Params: []function.Parameter{textParam("namespace"), textParam("name")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		space, ok := uuidNamespaces[args[0].AsString()]
		if !ok {
			var err error
			if space, err = uuid.Parse(args[0].AsString()); err != nil {
				return cty.NilVal, function.NewArgErrorf(0, `must be "dns", "url", "oid", "x500" or a UUID`)
			}
		}
		return cty.StringVal(uuid.NewSHA1(space, []byte(args[1].AsString())).String()), nil
	},
})

var timecmp = function.New(&function.Spec{
	Params: []function.Parameter{textParam("timestamp_a"), textParam("timestamp_b")},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var times [2]time.Time
		for i := range times {
			var err error
			if times[i], err = time.Parse(time.RFC3339, args[i].AsString()); err != nil {
				return cty.NilVal, function.NewArgErrorf(i, "must be a time such as 2026-11-22T18:00:00Z")
			}
		}
		return cty.NumberIntVal(int64(times[0].Compare(times[1]))), nil
	},
})

// network reads an argument such as 10.0.0.0/8. As Terraform does, and the
// standard library does not, it takes 010 for 10.
func network(args []cty.Value) (*net.IPNet, error) {
	text := args[0].AsString()
	if address, bits, ok := strings.Cut(text, "/"); ok && !strings.Contains(address, ":") {
		numbers := strings.Split(address, ".")
		for i, n := range numbers {
			for len(n) > 1 && n[0] == '0' {
				n = n[1:]
			}
			numbers[i] = n
		}
		text = strings.Join(numbers, ".") + "/" + bits
	}
	_, n, err := net.ParseCIDR(text)
	if err != nil {
		return nil, function.NewArgErrorf(0, "must be a network such as 10.0.0.0/8 or fd00::/8")
	}
	if n.IP.To4() != nil && strings.Contains(text, ":") {
		return nil, function.NewArgErrorf(0, "an IPv4 address within IPv6 can't be computed with")
	}
	return n, nil
}

// bitsOf is a number of bits by which a network is made longer.
func bitsOf(args []cty.Value, i int) (int, error) {
	n := args[i]
	var bits int
	if n.IsNull() || gocty.FromCtyValue(n, &bits) != nil || bits < 0 || bits > 128 {
		return 0, function.NewArgErrorf(i, "must be a whole number from 0 to 128")
	}
	return bits, nil
}

func wholeNumber(args []cty.Value, i int) (*big.Int, error) {
	f := args[i].AsBigFloat()
	if !f.IsInt() || f.MantExp(nil) > 129 {
		return nil, function.NewArgErrorf(i, "must be a whole number of at most 128 bits")
	}
	n, _ := f.Int(nil)
	return n, nil
}

var cidrhost = function.New(&function.Spec{
	Params: []function.Parameter{textParam("prefix"), {Name: "hostnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := network(args)
		if err != nil {
			return cty.NilVal, err
		}
		num, err := wholeNumber(args, 1)
		if err != nil {
			return cty.NilVal, err
		}
		ip, err := cidr.HostBig(n, num)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(ip.String()), nil
	},
})

var cidrnetmask = function.New(&function.Spec{
	Params: []function.Parameter{textParam("prefix")},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := network(args)
		if err != nil {
			return cty.NilVal, err
		}
		if n.IP.To4() == nil {
			return cty.NilVal, function.NewArgErrorf(0, "must be an IPv4 network: IPv6 has no masks")
		}
		return cty.StringVal(net.IP(n.Mask).String()), nil
	},
})

var cidrsubnet = function.New(&function.Spec{
	Params: []function.Parameter{textParam("prefix"), {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := network(args)
		if err != nil {
			return cty.NilVal, err
		}
		bits, err := bitsOf(args, 1)
		if err != nil {
			return cty.NilVal, err
		}
		num, err := wholeNumber(args, 2)
		if err != nil {
			return cty.NilVal, err
		}
		if num.Sign() < 0 {
			return cty.NilVal, function.NewArgErrorf(2, "must not be negative")
		}
		sub, err := cidr.SubnetBig(n, bits, num)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(sub.String()), nil
	},
})

var cidrsubnets = function.New(&function.Spec{
	Params:   []function.Parameter{textParam("prefix")},
	VarParam: &function.Parameter{Name: "newbits", Type: cty.Number},
	Type:     function.StaticReturnType(cty.List(cty.String)),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		n, err := network(args)
		if err != nil {
			return cty.NilVal, err
		}
		if len(args) == 1 {
			return cty.ListValEmpty(cty.String), nil
		}
		have, all := n.Mask.Size()
		out := make([]cty.Value, 0, len(args)-1)
		var last *net.IPNet
		for i := 1; i < len(args); i++ {
			bits, err := bitsOf(args, i)
			if err != nil || bits < 1 || bits > 32 || have+bits > all {
				return cty.NilVal, function.NewArgErrorf(i, "must be a whole number from 1 to %d", min(32, all-have))
			}
			if last == nil { // the one before the first
				last, _ = cidr.PreviousSubnet(n, have+bits)
			}
			next, over := cidr.NextSubnet(last, have+bits)
			if i > 1 && over || !n.Contains(next.IP) {
				return cty.NilVal, function.NewArgErrorf(i, "there is no room left in %s for a network of %d more bits", n, bits)
			}
			out = append(out, cty.StringVal(next.String()))
			last = next
		}
		return cty.ListVal(out), nil
	},
})
