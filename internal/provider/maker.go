package provider

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Config is what a provider block says, with the defaults filled in.
type Config struct {
	Type        string   // "xai"
	Alias       string   // "" for the plain block
	Endpoint    string   // "" for the maker's own
	Command     []string // a program and its arguments that prints the key
	Wire        string   // "current" or "documented"
	Transport   string   // "rest" or "grpc"
	Response    string   // "url" or "b64_json"
	Deferred    bool     // ask for a job id first, which survives a crash
	InDoubt     string   // "hold", "ask" or "retry"
	Parallelism int      // requests in flight, at least 1
	PerMinute   float64  // requests started a minute; 0 for no limit
}

// Key is how a provider is named in addresses and references: "xai" or
// "xai.eu".
func (c Config) Key() string {
	if c.Alias == "" {
		return c.Type
	}
	return c.Type + "." + c.Alias
}

// Maker makes images. A maker may be used by many goroutines at once.
type Maker interface {
	// Offer tells about a model ("" for the default one), without key and
	// network.
	Offer(model string) (Offer, bool)

	// Make carries out r. It tells s of each thing as it happens, in this
	// order: Sent just before the first byte leaves, Accepted if a job id
	// came, then Delivered (after Spool for inline bytes) for each image. An
	// error is an *Error or ctx.Err(); what was delivered before it stays.
	Make(ctx context.Context, r *Request, s Sink) (Reply, error)

	// Resume polls the job that r became in an earlier run until it ends, as
	// Make would have. r has no bytes of its inputs.
	Resume(ctx context.Context, jobID string, r *Request, s Sink) (Reply, error)

	// Fetch downloads a delivered URL. It may be repeated and costs nothing.
	Fetch(ctx context.Context, url string, w io.Writer) error
}

// Reply is what a finished call adds to what the sink already knows.
type Reply struct {
	Model  string // that served it, where the reply says so
	Price  Money  // of the whole call
	Priced bool   // whether the reply told the price
}

// Delivery is one image of a reply.
type Delivery struct {
	URL           string // "" if the bytes were spooled
	MIME          string // as the reply claims
	Model         string // that served it, where the reply says so
	RevisedPrompt string
	Moderated     bool // the reply marks it as refused: never take it for a picture
}

// Sink is told of each thing that happens to a call. Each method returns when
// what it was told is durable; an error means that the call must not go on.
type Sink interface {
	Sent() error
	Accepted(jobID string) error
	// Delivered tells of image i, counted from 0, and the price paid for it:
	// of the reply where it says so, else of the offer.
	Delivered(i int, from Delivery, price Money) error
	// Spool opens a place for the bytes of image i; they are durable when
	// Close returns nil.
	Spool(i int) (io.WriteCloser, error)
	// Answered tells that the request that was sent got a complete answer which
	// owes nothing, a 429: it may be sent again, and then Sent is told again.
	Answered() error
	// Stopping is closed when nothing new may be sent any more.
	Stopping() <-chan struct{}
	// Room waits for so many bytes of the memory that all work on pixels shares,
	// at most all of it, until leave. It is for makers that draw here.
	Room(bytes int64) (leave func())
	// Waiting tells that the call waits (its turn, or a rate limit) until d
	// has passed. It is for people to see and not durable.
	Waiting(d time.Duration, why string)
}

// Kind is the class of a failed call.
type Kind int

const (
	NotSent     Kind = iota + 1 // nothing left us: free, may be repeated
	RateLimited                 // 429: free, may be repeated after RetryAfter
	Rejected                    // a complete 4xx: the request is wrong
	Credentials                 // no key, wrong key, blocked: the run stops
	Quota                       // no money left with the provider: the run stops
	Moderated                   // refused by policy, perhaps billed
	Unusable                    // delivered but wrong: billed
	InDoubt                     // unknown whether it was made and billed
	Unfinished                  // accepted as a job whose end was not seen: Resume asks again, for free
)

var kindNames = [...]string{"", "not sent", "rate limited", "rejected", "credentials", "quota", "moderated", "unusable", "in doubt", "unfinished"}

func (k Kind) String() string { return kindNames[k] }

// Error is a failed call.
type Error struct {
	Kind       Kind
	Status     int           // of HTTP, 0 if there was none
	Code       string        // the provider's
	Message    string        // the provider's or the cause; foreign text, clean it before it is shown
	Hint       string        // ours: a command or an edit
	RequestID  string        // the provider's, for its support
	RetryAfter time.Duration // 0 if the provider said nothing
	Cause      Kind          // of Unfinished: what kept the job from being asked for, 0 if nothing did
	Price      Money         // billed for the failure
	Priced     bool          // whether the provider told Price
}

func (e *Error) Error() string {
	s := e.Kind.String()
	if e.Status != 0 {
		s = fmt.Sprintf("%s (HTTP %d)", s, e.Status)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Absent reports, of a download, that the server answers with something other
// than the picture. That may be for the moment.
func (e *Error) Absent() bool {
	return (e.Kind == Unusable || e.Kind == Rejected) && e.Status >= 300
}

// StopsRun reports whether every other request of the same provider would fail
// in the same way.
func (e *Error) StopsRun() bool {
	return e.Kind == Credentials || e.Kind == Quota || e.Cause == Credentials || e.Cause == Quota
}
