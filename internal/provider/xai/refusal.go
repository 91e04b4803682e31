package xai

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

const (
	maxError      = 1 << 20
	maxRetryAfter = time.Hour
)

// rule is a line of the table by which answers that are no success are
// classified. The status decides; words are looked for where the service uses
// one status for several things.
type rule struct {
	from, to int      // status of HTTP, or what stands for it over gRPC
	code     []string // words of the code or type, or
	text     []string // of the message; neither: any
	kind     provider.Kind
	hint     string
}

var (
	policyCodes = []string{"moderation", "content_policy", "content-policy", "content_filter"}
	policyTexts = []string{"content moderation", "content policy", "content_policy", "rejected by moderation", "safety policy"}
	moneyCodes  = []string{"insufficient_quota", "billing"}
	moneyTexts  = []string{"insufficient_quota", "credits", "spending limit"}
	keyTexts    = []string{"api key", "api-key", "api_key"}
)

const (
	giveKey   = "export XAI_API_KEY=…"
	giveMoney = "add credits with the provider, then apply again"

	noRedirect = "a paid request follows no redirect: write the endpoint that answers"
)

// rules: the first that fits. Sources: the page's error section, docs.x.ai on
// debugging (400 is also a wrong key, 403 a blocked team), captured bodies.
var rules = []rule{
	{from: 401, to: 401, kind: provider.Credentials, hint: giveKey},
	{from: 429, to: 429, code: moneyCodes, text: moneyTexts, kind: provider.Quota, hint: giveMoney},
	{from: 429, to: 429, kind: provider.RateLimited},
	{from: 0, to: 499, code: policyCodes, text: policyTexts, kind: provider.Moderated, hint: "change the prompt"},
	{from: 402, to: 402, kind: provider.Quota, hint: giveMoney},
	{from: 403, to: 403, code: moneyCodes, text: moneyTexts, kind: provider.Quota, hint: giveMoney},
	{from: 403, to: 403, kind: provider.Credentials, hint: giveKey},
	{from: 400, to: 400, text: keyTexts, kind: provider.Credentials, hint: giveKey},
	{from: 400, to: 400, text: []string{"argument not supported"}, kind: provider.Rejected, hint: `the server takes less than the page says: delete wire = "documented"`},
	{from: 404, to: 405, text: []string{"page not found", "method not allowed"}, kind: provider.Rejected, hint: "check the path of endpoint: that of xAI and of imgbuild emulate ends in /v1"},
	{from: 404, to: 404, text: []string{"model"}, kind: provider.Rejected, hint: "imgbuild models lists the models"},
	{from: 415, to: 415, kind: provider.Rejected, hint: `the server takes another encoding: wire = "current" sends JSON, wire = "documented" multipart edits`},
	{from: 400, to: 499, kind: provider.Rejected},
	{from: 301, to: 302, kind: provider.Rejected, hint: noRedirect},
	{from: 307, to: 308, kind: provider.Rejected, hint: noRedirect},
	{from: 0, to: math.MaxInt, kind: provider.InDoubt},
}

// classify finds the rule of an answer.
func classify(status int, code, text string) (provider.Kind, string) {
	code, text = strings.ToLower(code), strings.ToLower(text)
	says := func(s string, words []string) bool {
		for _, w := range words {
			if strings.Contains(s, w) {
				return true
			}
		}
		return false
	}
	for _, r := range rules {
		if r.from <= status && status <= r.to && (r.code == nil && r.text == nil || says(code, r.code) || says(text, r.text)) {
			return r.kind, r.hint
		}
	}
	panic("the last rule fits all")
}

// refusal classifies an answer that is not a success.
func (m *maker) refusal(resp *http.Response) *provider.Error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	e := m.explain(resp.StatusCode, resp.Header, body)
	switch {
	case err != nil:
		e.Kind = provider.InDoubt
		e.Message = m.clip("the reply broke off: " + err.Error())
	case e.Kind == provider.Rejected && e.Price > 0:
		// What is billed must not be bought again, whatever words it comes in.
		e.Kind = provider.Unusable
	}
	return e
}

// explain reads the shapes of an error body: flat {"code","error"}, nested
// {"error":{"message","type","param","code"}}, bare {"error"}, plain text.
func (m *maker) explain(status int, header http.Header, body []byte) *provider.Error {
	var top struct {
		Code    any             `json:"code"`
		Message string          `json:"message"`
		Error   json.RawMessage `json:"error"`
		Usage   *wireUsage      `json:"usage"`
	}
	var nested struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    any    `json:"code"`
	}
	e := &provider.Error{Status: status, RequestID: m.clip(header.Get("X-Request-Id"))}
	if lax(body, &top) != nil {
		e.Message = string(body)
	} else {
		e.Code, e.Message = word(top.Code), top.Message
		e.Price, e.Priced = top.Usage.money()
		var text string
		if json.Unmarshal(top.Error, &text) == nil && text != "" {
			e.Message = text
		} else if lax(top.Error, &nested) == nil && nested.Message != "" {
			e.Message, e.Code = nested.Message, cmp.Or(word(nested.Code), e.Code)
		}
	}
	if to := header.Get("Location"); to != "" && status/100 == 3 {
		e.Message = "the endpoint redirects to " + to
	}
	e.Message, e.Code = m.clip(strings.TrimSpace(e.Message)), m.clip(e.Code)
	e.RetryAfter = m.retryAfter(header)
	e.Kind, e.Hint = classify(status, e.Code+" "+nested.Type, e.Message)
	return e
}

// word is a code as text: some servers send numbers.
func word(code any) string {
	switch c := code.(type) {
	case string:
		return c
	case float64:
		return strconv.FormatFloat(c, 'f', -1, 64)
	}
	return ""
}

// retryAfter reads Retry-After-Ms and Retry-After (seconds, or a date, taken
// against the reply's own Date so that a wrong clock here does not matter).
// Nonsense and the past are 0; more than an hour is an hour.
func (m *maker) retryAfter(h http.Header) time.Duration {
	wait := func(v string, unit time.Duration) (time.Duration, bool) {
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil || math.IsNaN(f) {
			return 0, false
		}
		return time.Duration(min(max(f, 0), float64(maxRetryAfter/unit)) * float64(unit)), true
	}
	if d, ok := wait(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d
	}
	if d, ok := wait(h.Get("Retry-After"), time.Second); ok {
		return d
	}
	until, err := http.ParseTime(h.Get("Retry-After"))
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = m.now()
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}
