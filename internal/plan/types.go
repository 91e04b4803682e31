package plan

import (
	"time"

	"github.com/imgbuild/imgbuild/internal/digest"
	"github.com/imgbuild/imgbuild/internal/lock"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/spec"
)

// FormatVersion is the version of the JSON of a Plan. Within 1.x fields are
// only added; readers ignore what they don't know.
const FormatVersion = "1.0"

// Verb says what a step does.
type Verb string

const (
	Generate Verb = "generate"
	Edit     Verb = "edit"

	Import  Verb = "import" // adopt a picture that exists
	Render  Verb = "render"
	Restore Verb = "restore"
	Move    Verb = "move"
	Delete  Verb = "delete"
	Forget  Verb = "forget"
	Record  Verb = "record" // that a postcondition refuses what was paid for: no file is written

	Resume   Verb = "resume" // paid for; apply fetches it before it plans
	Hold     Verb = "hold"
	Refused  Verb = "refused"
	Conflict Verb = "conflict"
	Missing  Verb = "missing"

	Protected Verb = "protected" // lifecycle { protect = true }
)

// Paid reports whether carrying out the verb may cost money.
func (v Verb) Paid() bool { return v == Generate || v == Edit }

// Standing reports whether the verb only states something.
func (v Verb) Standing() bool {
	return v == Hold || v == Refused || v == Conflict || v == Missing || v == Resume || v == Protected
}

// Cause is the kind of a reason.
type Cause string

const (
	CauseNew        Cause = "new"         // the lock does not know the image
	CauseChanged    Cause = "changed"     // Field went from Old to New
	CauseSource     Cause = "source"      // the picture that is edited changes; New names it
	CauseMore       Cause = "more"        // n was raised from Old to New
	CauseAsked      Cause = "asked"       // -replace, -retry-refused, -retry-in-doubt
	CauseBought     Cause = "bought"      // an earlier purchase fits
	CauseImported   Cause = "imported"    // takes the picture in file New
	CauseShared     Cause = "shared"      // takes the candidates of New
	CauseRenamed    Cause = "renamed"     // was Old
	CauseUnwanted   Cause = "unwanted"    // the configuration no longer has it
	CauseAbsent     Cause = "absent"      // output New is not on disk
	CauseAltered    Cause = "altered"     // output New is not what we wrote
	CauseForeign    Cause = "foreign"     // file New is not ours
	CauseRecipe     Cause = "recipe"      // Field of the rendition went from Old to New
	CausePicked     Cause = "picked"      // the choice went from Old to New
	CauseNoOriginal Cause = "no original" // Field is whose, New the digest that is on no tier, Old the file that is to be made of it, Copy an output that was a copy of it
	CauseUnanswered Cause = "unanswered"  // New is the attempt
	CauseLost       Cause = "lost"        // attempt New of an earlier run may have bought it, and nobody knows
	CauseBadReply   Cause = "bad reply"   // Field is the reason, New the message
	CauseUnfit      Cause = "unfit"       // a postcondition does not hold, New is its message
	CauseDelivered  Cause = "delivered"   // paid and not yet stored
	CauseAccepted   Cause = "accepted"    // a job of an earlier run, New is the attempt
	CauseWaits      Cause = "waits"       // for image New, which can't go on
	CauseProtected  Cause = "protected"   // Field is the verb that the step would have had
	CauseSensitive  Cause = "sensitive"   // Field is sensitive now, and the lock has its value
)

// Reason is one why of a step.
type Reason struct {
	Cause Cause  `json:"cause"`
	Field string `json:"field,omitempty"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
	Copy  string `json:"copy,omitempty"`
	// Sensitive: Old and New are withheld.
	Sensitive bool `json:"sensitive,omitempty"`
}

// Action says what happens to one output file.
type Action string

const (
	Write      Action = "write"
	KeepFile   Action = "keep"
	DeleteFile Action = "delete"
	ForgetFile Action = "forget" // leave the file, drop it from the lock
)

// Output is a file of a step.
type Output struct {
	Path   string         `json:"path"`
	Block  string         `json:"block,omitempty"` // that asks for it: "responsive", "icon" or "social"
	Name   string         `json:"name,omitempty"`  // of the rendition
	Action Action         `json:"action"`
	Recipe string         `json:"recipe,omitempty"`
	Font   string         `json:"font,omitempty"`  // the file that the recipe names by its content
	Expect digest.Content `json:"expect,omitzero"` // bytes that may be replaced or deleted; none: the file must not exist
	Adopt  bool           `json:"adopt,omitempty"` // the file has the right bytes already: only recorded
	// Relabel: only the label differs. It is written into the file that is
	// there, which has the bytes of Expect, without its original.
	Relabel bool `json:"relabel,omitempty"`
	// Placeholder: the lock is to have one of the file, which is the main output.
	Placeholder bool `json:"placeholder,omitempty"`
}

// Step is what is to be done for one image. It carries all that apply needs.
type Step struct {
	Address spec.Address   `json:"address"`
	From    spec.Address   `json:"from,omitempty"` // previous address of a move
	Verb    Verb           `json:"verb"`
	Why     []Reason       `json:"why,omitempty"`
	Notes   []string       `json:"notes,omitempty"` // what is fulfilled on our side, and which imported files go
	After   []spec.Address `json:"after,omitempty"` // steps that must be done before

	Provider     string           `json:"provider,omitempty"` // key of the provider block
	Digest       digest.Request   `json:"request,omitzero"`   // zero while a source is not made yet
	Request      provider.Request `json:"wanted,omitzero"`    // inputs by content, without bytes; without what is sensitive
	Sealed       digest.Request   `json:"sealed,omitzero"`    // of Request with what is sensitive; none if nothing is
	Sources      []spec.Source    `json:"sources,omitempty"`  // where each input comes from
	MaskFile     string           `json:"mask,omitempty"`
	Need         int              `json:"need,omitempty"`  // images to buy
	Rolls        int              `json:"rolls,omitempty"` // of Fresh: how many the store knew when it was planned
	Again        []string         `json:"again,omitempty"` // attempts in doubt that are sent again
	Sent         time.Time        `json:"sent,omitzero"`   // of what is in doubt or under way, where that is known
	RetryRefused bool             `json:"retry_refused,omitempty"`
	Fresh        bool             `json:"fresh,omitempty"` // asked to roll again: earlier candidates do not count

	Candidates []provider.Image `json:"candidates,omitempty"` // that the image has already, in order
	N          int              `json:"n,omitempty"`          // candidates wanted
	Pick       int              `json:"pick,omitempty"`       // the chosen candidate, from 1
	LockPick   int              `json:"lock_pick,omitempty"`  // the choice that the lock records
	Drop       bool             `json:"drop,omitempty"`       // the entry leaves the lock
	ShareWith  spec.Address     `json:"share_with,omitempty"` // take the candidates of this image once it is done
	Import     string           `json:"import,omitempty"`     // the file whose bytes the only candidate is: it must still have them

	Outputs []Output `json:"outputs,omitempty"`
	// Responsive is the whole set where its picture is still to be made: of
	// Outputs those of the set are a guess, and apply takes what the picture has.
	Responsive []Output    `json:"responsive,omitempty"`
	Label      *spec.Label `json:"label,omitempty"`   // that the recipes of outputs name
	Budgets    []string    `json:"budgets,omitempty"` // that it counts for, of a paid step

	Price  provider.Money `json:"price"`
	Priced bool           `json:"priced"` // false where no price is known; free steps are priced 0

	// Precondition is the digest of the lock entry that the step was planned
	// on, none if there was no entry.
	Precondition digest.Content `json:"precondition,omitzero"`
}

// Plan is the decision.
type Plan struct {
	FormatVersion string          `json:"format_version"`
	Tool          string          `json:"tool"`
	Config        digest.Content  `json:"config,omitzero"` // of the whole configuration; informative
	Partial       bool            `json:"partial,omitempty"`
	Draft         bool            `json:"draft,omitempty"`
	Keys          []Key           `json:"keys,omitempty"` // where keys go and come from other than by default; for people, before all else
	Steps         []Step          `json:"steps"`          // in an order that respects After
	Unchanged     int             `json:"unchanged"`
	Summary       Summary         `json:"summary"`
	PricesAsOf    string          `json:"prices_as_of,omitempty"` // date of the oldest price that counts, YYYY-MM-DD
	MaxCost       *provider.Money `json:"max_cost,omitempty"`
	Budgets       []Budget        `json:"budgets,omitempty"`
	Ignored       []Ignored       `json:"ignored,omitempty"`
	Manifests     []Manifest      `json:"manifests,omitempty"` // that do not say what the lock and the configuration do

	Asks     Asks      `json:"-"`
	Problems []Problem `json:"-"`
}

// Manifest is a file that tells a site what there is to show.
type Manifest struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	Action Action `json:"action"` // Write or DeleteFile
}

// Key is what the configuration says of the key of a provider: whoever changes
// that can have it sent elsewhere, or a program started.
type Key struct {
	Provider string   `json:"provider"`
	Endpoint string   `json:"endpoint,omitempty"` // that is neither the provider's own nor loopback
	Command  []string `json:"credential_command,omitempty"`
}

// Summary counts steps and money.
type Summary struct {
	Buy      int            `json:"buy"`      // steps that cost money
	Make     int            `json:"make"`     // steps whose provider is free of charge
	Images   int            `json:"images"`   // to be bought or made
	Price    provider.Money `json:"price"`    // of all paid steps whose price is known
	Unpriced int            `json:"unpriced"` // paid steps without a known price
	Free     int            `json:"free"`
	Delete   int            `json:"delete"`
	Standing int            `json:"standing"`
	Files    int            `json:"files_to_delete"` // in all steps
}

// Asks are questions that the caller must answer before the plan is one.
type Asks struct {
	Requests []digest.Request // what was bought for these?
	Contents []digest.Content // are these on a tier?
	Files    []string         // what are the bytes of these outputs?
	Paths    []string         // what is there?
	Pictures []Picture        // do the postconditions of these hold?
}

// Picture is the main output of an image with postconditions, made or to be
// made from a candidate that the image has.
type Picture struct {
	Unfit
	Of      provider.Image
	Model   string // that was asked
	Output  spec.Output
	Sources []spec.Source // of an edit
	Mask    string        // its file
	Label   spec.Label    // that the recipe may name
}

// Unfit names a candidate of an image.
type Unfit struct {
	Address   spec.Address
	Candidate digest.Content
}

// None reports whether the plan is complete.
func (a Asks) None() bool {
	return len(a.Requests)+len(a.Contents)+len(a.Files)+len(a.Paths)+len(a.Pictures) == 0
}

// Problem is a wish that can't be planned.
//
// A problem of FieldMaxCost is about the price, and one of FieldBought about the
// store, not about what the model takes.
type Problem struct {
	Address spec.Address
	spec.Problem
	Warning bool // the plan can be carried out, and hardly means this
	Kind    ProblemKind
}

// ProblemKind says what a problem is about, where neither its field nor what a
// model takes does.
type ProblemKind string

const (
	NoEncoder ProblemKind = "no encoder" // nothing here can write an output
	BadCrop   ProblemKind = "crop"       // it leaves its picture
	BadCard   ProblemKind = "card"       // its text can't be written
	TooLarge  ProblemKind = "large"      // it would have too many pixels
	TooSmall  ProblemKind = "too small"  // a file must be larger than its picture
)

// FieldPlaceholder is the field of an image that asks for a placeholder.
const FieldPlaceholder = "placeholder"

// FieldMaxCost is the field of an image that says what it may cost.
const FieldMaxCost = "max_cost"

// FieldBought is that of a problem of what is known of earlier purchases; the
// value is the request.
const FieldBought = "bought"

// Seen is an output as it is on disk.
type Seen struct {
	Unknown bool // nobody has looked: the path is asked for
	Exists  bool
	Regular bool
	Outside bool // a link on the way leads out of the root
	Size    int64
	Content digest.Content // none if not known
}

// Bought is an image that the store's request index has.
type Bought struct {
	Image   provider.Image
	Refused string // reason, if the reply can't be used
}

// Pending is a paid request of an earlier run that did not end.
type Pending struct {
	Address spec.Address
	Request digest.Request
	Attempt string
	Sent    time.Time // zero if that is not known
	Images  int
	Price   provider.Money
	Resume  bool // paid, and what came can be fetched for free
	Job     bool // the provider has it as a job, whose end was not seen
	Again   bool // the user asks to send it again
}

// Imported is a picture in a file of the project.
type Imported struct {
	Path  string
	Image provider.Image
	Fault *spec.Problem // why it can't be taken
}

// Input is everything that a plan depends on.
type Input struct {
	Tool   string
	Images []spec.Image // sorted by address
	// Offer tells about a model of a provider ("" for its default one), from
	// tables.
	Offer   func(providerKey, model string) (*provider.Offer, bool)
	Files   map[string]digest.Content       // of sources and masks, by path
	Writer  func(spec.Encoding) spec.Writer // nil: anything can be written
	Lock    *lock.Lock
	Seen    func(path string) Seen
	Pending []Pending
	Lost    string // an attempt of which nobody knows what it bought; "" if there is none
	MaxCost *provider.Money
	Budgets []Budget // without prices

	// Answers to Asks. A key that is absent is asked for.
	Bought map[digest.Request][]Bought
	Held   map[digest.Content]bool
	Hashes map[string]digest.Content
	Unfit  map[Unfit]string // which postcondition speaks against it; "" for none

	// Unread are requests for which more may have been bought than Bought knows,
	// and why that can't be read.
	Unread map[digest.Request]string

	// Imports are the pictures that images take which have none in the lock.
	Imports map[spec.Address]Imported

	// Written is what a run that died wrote after the lock was last saved.
	Written map[string]digest.Content

	// Moved maps the address that an image has now to those that it may have had;
	// Kept are images that are gone on purpose and whose files stay.
	Moved map[spec.Address][]spec.Address
	Kept  map[spec.Address]bool
	// Guards are addresses that the configuration does not have and protects:
	// an image, all instances of one, or without any key those in all instances
	// of its modules.
	Guards []spec.Address

	Select       Selection
	Destroy      bool
	RetryRefused bool
	Draft        bool
}
