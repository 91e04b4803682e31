package xai

import (
	"errors"
	"time"

	"github.com/imgbuild/imgbuild/internal/provider"
)

// discreet is a sink that is told nothing of the key, whatever the server
// repeats: what it is told is written to journal, lock and streams.
type discreet struct {
	provider.Sink
	m *maker
}

func (s discreet) Delivered(i int, d provider.Delivery, price provider.Money) error {
	d.MIME, d.Model, d.RevisedPrompt = s.m.told(d.MIME), s.m.told(d.Model), s.m.told(d.RevisedPrompt)
	return s.Sink.Delivered(i, d, price)
}

func (s discreet) Waiting(d time.Duration, why string) { s.Sink.Waiting(d, s.m.clip(why)) }

// told takes secrets out of a foreign text that is data and may be long. A key
// that is too short to be told from other words stays.
func (m *maker) told(s string) string {
	for _, k := range m.secrets {
		if (*k.secret).forms != nil {
			s = k.redact(s)
		}
	}
	return s
}

// repeats reports whether a foreign name repeats a secret.
func (m *maker) repeats(name string) bool {
	for _, k := range m.secrets {
		if k.inName(name) {
			return true
		}
	}
	return false
}

// hush takes secrets out of what a call returns.
func (m *maker) hush(reply *provider.Reply, err error) {
	if reply != nil {
		reply.Model = m.told(reply.Model)
	}
	var e *provider.Error
	if errors.As(err, &e) {
		e.Message, e.Code, e.RequestID = m.clip(e.Message), m.clip(e.Code), m.clip(e.RequestID)
	}
}
