package xai

import (
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

// refusal classifies an answer that is not a success.
func (m *maker) refusal(resp *http.Response) *provider.Error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	e := m.explain(resp, body)
	switch {
	case resp.StatusCode >= 500:
		e.Kind = provider.InDoubt
	case err != nil:
		e.Kind = provider.InDoubt
		e.Message = m.clip("the reply broke off: " + err.Error())
	}
	return e
}

// explain reads the shapes of an error body: flat {"code","error"}, nested
// {"error":{"message","type","param","code"}}, bare {"error"}, plain text.
func (m *maker) explain(resp *http.Response, body []byte) *provider.Error {
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
	var kind string // the type of a nested error
	e := &provider.Error{Status: resp.StatusCode, RequestID: m.clip(resp.Header.Get("X-Request-Id"))}
	if lax(body, &top) != nil {
		e.Message = string(body)
	} else {
		e.Code, e.Message = word(top.Code), top.Message
		e.Price, e.Priced = top.Usage.money()
		var text string
		if json.Unmarshal(top.Error, &text) == nil && text != "" {
			e.Message = text
		} else if lax(top.Error, &nested) == nil && nested.Message != "" {
			e.Message, kind = nested.Message, nested.Type
			if c := word(nested.Code); c != "" {
				e.Code = c
			}
		}
	}
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode/100 == 3 {
		e.Message = "the endpoint redirects to " + to
	}
	e.Message, e.Code = m.clip(strings.TrimSpace(e.Message)), m.clip(e.Code)
	e.RetryAfter = m.retryAfter(resp.Header)
	e.Kind, e.Hint = classify(resp, e, kind)
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

// classify decides by status first. The code and the text are needed where the
// service uses one status for several things: 400 is also a wrong key and a
// moderated image, 403 also moderation and missing credits, 429 also a quota.
func classify(resp *http.Response, e *provider.Error, kind string) (provider.Kind, string) {
	code, text := strings.ToLower(e.Code+" "+kind), strings.ToLower(e.Message)
	says := func(s string, words ...string) bool {
		for _, w := range words {
			if strings.Contains(s, w) {
				return true
			}
		}
		return false
	}
	moderated := says(code, "moderation", "content_policy", "content-policy", "content_filter") ||
		says(text, "content moderation", "content policy", "content_policy", "rejected by moderation", "safety policy")
	noMoney := says(code, "insufficient_quota", "billing") || says(text, "insufficient_quota", "credits", "spending limit")
	switch status := resp.StatusCode; {
	case moderated && status != 429 && status != 401:
		return provider.Moderated, "change the prompt"
	case status == 402, noMoney && (status == 403 || status == 429):
		return provider.Quota, "add credits with the provider, then apply again"
	case status == 401, status == 403, status == 400 && says(text, "api key", "api-key", "api_key"):
		return provider.Credentials, "export XAI_API_KEY=…"
	case status == 429:
		return provider.RateLimited, ""
	case status == 301, status == 302, status == 307, status == 308:
		return provider.Rejected, "a paid request follows no redirect: write the endpoint that answers"
	case status >= 400 && status < 500:
		return provider.Rejected, ""
	}
	return provider.InDoubt, ""
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
