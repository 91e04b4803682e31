package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/imgbuild/imgbuild/internal/diag"
	"github.com/imgbuild/imgbuild/internal/provider"
	"github.com/imgbuild/imgbuild/internal/provider/all"
	"github.com/imgbuild/imgbuild/internal/provider/providertest"
)

type doctorFlags struct {
	projectFlags
	provider  string
	allowExec bool
	free      bool
	repair    bool
	wait      time.Duration
	yes       bool
	json      bool
	maxCost   *provider.Money
}

func doctorVerb() verb {
	var f doctorFlags
	return verb{
		name: "doctor", short: "check the project, and repair it; or check that a provider keeps its promises",
		help: `
  imgbuild doctor
  imgbuild doctor -repair
  imgbuild doctor -provider xai
  imgbuild doctor -provider xai.eu -free
  imgbuild doctor -provider xai -auto-approve -max-cost=0.50 -json

Without -provider it reads all that imgbuild keeps here, as git fsck does: the
lock, every record of the journal, every byte of the store, the outputs. It needs
no key, asks nobody, starts nothing and writes nothing. What is in doubt or not
fetched yet is told with its age and price. With -repair it mends, after a yes,
each damaged thing from the others, and says what it did: a picture from the
other tier or from an output, a record of a purchase from lock and journal, a
lock from its entries that can be read and from the store, a journal from its
records before and after the damage. What can't be mended is set aside under a
name that says so, and never deleted; what may have been sent counts as in
doubt. What is lost or could not be brought back yet is told at the end, and the
exit code is then 3. It may be interrupted at any moment and repeated. It buys
nothing.

With -provider: NAME is a provider block of this folder, or a type of provider as it is without
one. The checks that cost nothing come first: the key, the endpoint, the offer,
the catalogue. Then it tells what the others would send and cost by the offer,
and asks, unless the provider is free or its endpoint is on this machine: each
of them makes small pictures and looks at what comes, and when. The pictures are
not kept. What can't be asked, or does not answer, ends the checks. Without a
budget, a run that nobody watches spends at most USD 5.
`,
		codes: []int{exitCheck, exitBudget},
		flags: append([]urfave.Flag{
			&urfave.StringFlag{Name: "provider", Usage: "check the provider `NAME`, such as xai or xai.eu", Destination: &f.provider},
			allowExecFlag(&f.allowExec),
			&urfave.BoolFlag{Name: "repair", Usage: "mend what is damaged in the project", Destination: &f.repair},
			&urfave.DurationFlag{Name: "lock-timeout", Usage: "with -repair, wait `TIME` for another imgbuild to finish, such as 30s", Destination: &f.wait},
			&urfave.BoolFlag{Name: "free", Usage: "only the checks that cost nothing", Destination: &f.free},
			&urfave.BoolFlag{Name: "auto-approve", Usage: "do not ask", Destination: &f.yes},
			&urfave.GenericFlag{Name: "max-cost", Usage: "spend at most `USD`", Value: moneyFlag{&f.maxCost}},
			&urfave.BoolFlag{Name: "json", Usage: "the results as JSON", Destination: &f.json},
		}, f.flags()...),
		run: func(ctx context.Context, env *Env, _ *urfave.Command) error {
			return runDoctor(ctx, env, &f)
		},
	}
}

// Results of a check.
const (
	checkOK      = "ok"
	checkFailed  = "failed"
	checkSkipped = "skipped" // there is nothing to check
	checkNotRun  = "not run"
)

// examination is what doctor found, as programs see it.
type examination struct {
	FormatVersion string         `json:"format_version"`
	Provider      string         `json:"provider"`
	Endpoint      string         `json:"endpoint,omitempty"`
	Proxy         string         `json:"proxy,omitempty"`
	Model         string         `json:"model"`
	OK            bool           `json:"ok"`
	Requests      int            `json:"requests"` // that the paid checks would send
	Images        int            `json:"images"`
	Price         provider.Money `json:"price"` // of them, by the offer
	Priced        bool           `json:"priced"`
	Checks        []checkRow     `json:"checks"`
	Spent         provider.Money `json:"spent"`
	InDoubt       provider.Money `json:"may_have_been_spent"` // besides
}

type checkRow struct {
	Name     string         `json:"name"`
	Shows    string         `json:"shows"`
	Result   string         `json:"result"`
	Requests int            `json:"requests"` // that may be charged
	Images   int            `json:"images"`
	Price    provider.Money `json:"price"` // by the offer
	Note     string         `json:"note,omitempty"`
	Problems []checkProblem `json:"problems"`
}

type checkProblem struct {
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// doctor is one examination under way.
type doctor struct {
	env   *Env
	flags *doctorFlags
	talk  io.Writer // for what is not a result
	cfg   provider.Config
	offer provider.Offer
	rig   providertest.Rig
	meter *meter
	rows  []checkRow
	over  string // why nothing more is asked; "" if it goes on

	waiting sync.Mutex // calls at the same time wait side by side
}

func runDoctor(ctx context.Context, env *Env, f *doctorFlags) error {
	switch {
	case f.provider == "" && (f.free || f.maxCost != nil):
		return usage(env, "-free and -max-cost are for the checks of a provider: imgbuild doctor -provider NAME, such as xai")
	case f.provider == "":
		return runCheckup(ctx, env, f)
	case f.repair:
		return usage(env, "-repair mends the project, not a provider: imgbuild doctor -repair")
	}
	cfg, err := namedProvider(env, f)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &doctor{env: env, flags: f, talk: env.Stdout, cfg: cfg}
	if f.json {
		d.talk = env.Stderr
	}
	d.offer, _ = all.Offer(cfg, "")
	err = d.examine(ctx)
	if err := d.tell(); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return exit(exitInterrupted)
	case err != nil:
		return err
	case slices.ContainsFunc(d.rows, func(r checkRow) bool { return r.Result == checkFailed }):
		return exit(exitCheck)
	}
	return nil
}

// namedProvider finds the provider that is meant.
func namedProvider(env *Env, f *doctorFlags) (provider.Config, error) {
	s, err := openSession(env)
	if err != nil {
		return provider.Config{}, err
	}
	defer s.close()
	var names []string
	if s.noFiles() == nil {
		if err := s.tell(s.load(&f.projectFlags)); err != nil {
			return provider.Config{}, err
		}
		if c, ok := s.provider(f.provider); ok {
			return c, nil
		}
		for _, c := range s.project.Providers {
			names = append(names, c.Key())
		}
	}
	if slices.Contains(all.Types(), f.provider) {
		return provider.Defaults(f.provider), nil
	}
	for _, t := range all.Types() {
		if !slices.Contains(names, t) {
			names = append(names, t)
		}
	}
	hint := "the providers are " + strings.Join(names, ", ")
	if best := nearest(f.provider, names); best != "" {
		hint = "did you mean " + best + "?"
	}
	return provider.Config{}, fail(hint, "there is no provider %q", diag.Clean(f.provider))
}

// examine runs the checks. An error is not a finding: nobody approved, or the
// budget ended it.
func (d *doctor) examine(ctx context.Context) error {
	free, paid := []providertest.Check{d.ready()}, []providertest.Check(nil)
	world := all.Env{Getenv: d.env.Getenv, ReadFile: os.ReadFile, Now: d.env.Now, Credential: func(c provider.Config) (string, error) { return d.credential(ctx, c) }}
	if m, err := all.Make(d.cfg, world); err == nil { // else ready says what is wrong
		d.meter = &meter{Maker: m, waits: d.waits}
		d.rig = providertest.Rig{Maker: provider.WithCatalogue(d.meter, m), Requests: providertest.Requests(d.offer), Inline: all.Inline(d.cfg)}
		for _, c := range providertest.Checks(d.rig) {
			if c.Pays == nil {
				free = append(free, c)
			} else if !d.flags.free {
				paid = append(paid, c)
			}
		}
	}
	total := d.cost(paid)
	d.announce(len(free)+len(paid), total)
	d.run(ctx, free)
	if len(paid) == 0 {
		return nil
	}
	var err error
	if d.over == "" && ctx.Err() == nil {
		err = d.permit(ctx, total)
	}
	if err != nil {
		d.over = "not approved"
	}
	d.run(ctx, paid)
	if err == nil && d.over == overBudget {
		fmt.Fprintln(d.env.Stderr, "  Hint: allow more with -max-cost, or run only the free checks with -free")
		err = exit(exitBudget)
	}
	return err
}

const overBudget = "it would go over the budget"

// ready is the one check that is not about the maker but about what it is made
// of.
func (d *doctor) ready() providertest.Check {
	return providertest.Check{
		Name: "ready", Shows: "there is a key, if one is needed, and the endpoint may get it",
		Run: func(context.Context, providertest.Rig) []error {
			if err := all.Ready(d.cfg, all.Env{Getenv: d.env.Getenv, ReadFile: os.ReadFile, Now: d.env.Now}); err != nil {
				return []error{err}
			}
			return nil
		},
	}
}

// cost adds up what checks would send.
func (d *doctor) cost(checks []providertest.Check) (sum cost) {
	sum.known = true
	for _, c := range checks {
		requests, images, price, ok := c.Cost(d.rig)
		sum.requests += requests
		sum.images += images
		sum.price += price
		sum.known = sum.known && ok
	}
	return sum
}

type cost struct {
	requests, images int
	price            provider.Money
	known            bool
}

func (c cost) String() string {
	s := fmt.Sprintf("%d %s, %d %s, ", c.requests, noun(c.requests, "request", "requests"), c.images, noun(c.images, "image", "images"))
	switch {
	case !c.known:
		return s + "at a price that is not known"
	case c.price == 0:
		return s + "free"
	}
	return s + "about " + c.price.String()
}

// proxy is that through which the provider is asked.
func (d *doctor) proxy() string { return all.Proxy(d.cfg, all.Env{Getenv: d.env.Getenv}) }

func (d *doctor) credential(ctx context.Context, c provider.Config) (string, error) {
	return runCredential(ctx, d.env, c, d.flags.allowExec)
}

// announce says what will be asked and what that may cost.
func (d *doctor) announce(checks int, total cost) {
	where := ""
	if d.cfg.Endpoint != "" {
		where = " at " + d.cfg.Endpoint
	}
	if p := d.proxy(); p != "" {
		where += " through the proxy " + p
	}
	fmt.Fprintf(d.talk, "%s: %s%s\n", d.cfg.Key(), d.offer.Model, diag.Clean(where))
	switch {
	case total.requests == 0:
		fmt.Fprintf(d.talk, "%d %s nothing.\n\n", checks, noun(checks, "check that costs", "checks that cost"))
	case all.Local(d.cfg) && total.price > 0:
		fmt.Fprintf(d.talk, "%d checks: %s by the offer, asked of this machine. The pictures are not kept.\n\n", checks, total)
	default:
		fmt.Fprintf(d.talk, "%d checks: %s. The pictures are not kept.\n\n", checks, total)
	}
}

// permit asks where money is at stake, and holds the whole against the budget.
func (d *doctor) permit(ctx context.Context, total cost) error {
	if b := d.budget(); b != nil && (!total.known || total.price > *b) {
		d.over = overBudget
		return nil
	}
	if d.flags.yes || total.known && total.price == 0 || all.Local(d.cfg) {
		return nil
	}
	what := fmt.Sprintf("Spend about %s on", total.price)
	if !total.known {
		what = "Spend an unknown amount on"
	}
	fmt.Fprintf(d.env.Stderr, "%s %d %s? Only yes does it: ", what, total.images, noun(total.images, "picture", "pictures"))
	answer := make(chan string, 1)
	go func() { answer <- readLine(ctx, d.env.Stdin) }()
	select {
	case line := <-answer:
		if line == "yes" {
			return nil
		}
		fmt.Fprintln(d.env.Stderr)
		return fail("answer yes, or use -auto-approve; -free runs only what costs nothing", "not approved; nothing was paid")
	case <-ctx.Done():
		fmt.Fprintln(d.env.Stderr)
		return nil
	}
}

// budget is what may be spent; nil for no limit.
func (d *doctor) budget() *provider.Money {
	if _, watched := terminal(d.env.Stdin); d.flags.maxCost != nil || watched || all.Local(d.cfg) {
		return d.flags.maxCost
	}
	limit := unwatched
	return &limit
}

// run runs checks until one says that it is over.
func (d *doctor) run(ctx context.Context, checks []providertest.Check) {
	for _, c := range checks {
		r := checkRow{Name: c.Name, Shows: c.Shows, Result: checkOK, Problems: []checkProblem{}}
		r.Requests, r.Images, r.Price, _ = c.Cost(d.rig)
		if b := d.budget(); d.over == "" && r.Images > 0 && b != nil && d.meter.total()+r.Price > *b {
			d.over = overBudget // replies cost more than the offer said
		}
		if d.over != "" || ctx.Err() != nil {
			r.Result, r.Note = checkNotRun, cmp.Or(d.over, "interrupted")
			d.rows = append(d.rows, r)
			continue
		}
		d.busy(r)
		for _, err := range c.Run(ctx, d.rig) {
			d.add(&r, err)
		}
		if ctx.Err() != nil {
			r.Result, r.Note, r.Problems = checkNotRun, "interrupted", []checkProblem{}
		}
		d.rows = append(d.rows, r)
		d.show(r)
	}
}

// add puts a finding of a check into its row.
func (d *doctor) add(r *checkRow, err error) {
	var skip providertest.Skip
	if errors.As(err, &skip) {
		r.Result, r.Note = checkSkipped, string(skip)
		return
	}
	r.Result = checkFailed
	p := checkProblem{Text: err.Error()}
	var failed *provider.Error
	if errors.As(err, &failed) && failed.Kind != provider.Moderated { // the prompt is ours
		p.Hint = failed.Hint
	}
	if !slices.Contains(r.Problems, p) {
		r.Problems = append(r.Problems, p)
	}
	switch {
	case d.over != "" || !providertest.Over(err):
	case failed.Kind == provider.InDoubt:
		d.over = "another request could be charged for nothing, too"
	case failed.StopsRun():
		d.over = "it would be refused in the same way"
	default:
		d.over = "the provider can't be asked now"
	}
}

// busy tells a person that a check is under way.
func (d *doctor) busy(r checkRow) {
	if _, ok := terminal(d.env.Stderr); ok && d.env.Getenv("TERM") != "dumb" {
		fmt.Fprintf(d.env.Stderr, "\r  …        %s", r.Name)
	}
}

func (d *doctor) waits(after time.Duration, why string) {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	fmt.Fprintf(d.env.Stderr, "  waits %s: %s\n", after.Round(time.Second/10), diag.Clean(why))
}

// show prints the row of a check that has run.
func (d *doctor) show(r checkRow) {
	if _, ok := terminal(d.env.Stderr); ok && d.env.Getenv("TERM") != "dumb" {
		fmt.Fprint(d.env.Stderr, "\r\x1b[K")
	}
	if d.flags.json {
		return
	}
	c := palette(d.env, d.env.Stdout)
	paint := map[string]func(string) string{checkOK: c.Green, checkFailed: c.Red, checkSkipped: c.Yellow, checkNotRun: c.Yellow}[r.Result]
	fmt.Fprintf(d.env.Stdout, "  %s %-9s  %s\n", paint(fmt.Sprintf("%-8s", r.Result)), r.Name, r.Shows)
	if r.Note != "" {
		fmt.Fprintf(d.env.Stdout, "             %s\n", r.Note)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(d.env.Stdout, "             %s\n", diag.Clean(p.Text))
		if p.Hint != "" {
			fmt.Fprintf(d.env.Stdout, "             Hint: %s\n", diag.Clean(p.Hint))
		}
	}
}

// tell ends the report.
func (d *doctor) tell() error {
	count := map[string]int{}
	for _, r := range d.rows {
		count[r.Result]++
	}
	spent, doubt := d.meter.sums()
	if d.flags.json {
		e := examination{FormatVersion: "1.0", Provider: d.cfg.Key(), Endpoint: d.cfg.Endpoint, Proxy: d.proxy(), Model: d.offer.Model,
			OK: count[checkFailed]+count[checkNotRun] == 0, Checks: d.rows, Spent: spent, InDoubt: doubt, Priced: true}
		for _, r := range d.rows {
			e.Requests += r.Requests
			e.Images += r.Images
			e.Price += r.Price
		}
		if e.Requests > 0 {
			_, e.Priced = d.offer.Price(d.rig.Requests[0])
		}
		return writeJSON(d.env.Stdout, e)
	}
	c := palette(d.env, d.env.Stdout)
	if n := count[checkNotRun]; n > 0 {
		var names []string
		why := ""
		for _, r := range d.rows {
			if r.Result == checkNotRun {
				names = append(names, r.Name)
				why = cmp.Or(why, r.Note)
			}
		}
		fmt.Fprintf(d.env.Stdout, "  %s  %s: %s\n", c.Yellow("not run"), strings.Join(names, ", "), why)
	}
	sum := []string{}
	for _, result := range []string{checkOK, checkFailed, checkSkipped, checkNotRun} {
		if count[result] > 0 {
			sum = append(sum, fmt.Sprintf("%d %s", count[result], result))
		}
	}
	head := c.Green("Healthy:")
	switch {
	case count[checkFailed] > 0:
		head = c.Red("Not healthy:")
	case count[checkNotRun] > 0:
		head = c.Yellow("Not finished:")
	}
	money := "Nothing was spent."
	if spent > 0 {
		money = spent.String() + " was spent."
	}
	if doubt > 0 {
		money += " Up to " + doubt.String() + " more may have been: sent, and not answered."
	}
	_, err := fmt.Fprintf(d.env.Stdout, "\n%s %s. %s\n", head, strings.Join(sum, ", "), money)
	return err
}

// meter counts what a maker charges.
type meter struct {
	provider.Maker
	waits func(time.Duration, string)

	mu           sync.Mutex
	spent, doubt provider.Money
}

func (m *meter) sums() (spent, doubt provider.Money) {
	if m == nil {
		return 0, 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spent, m.doubt
}

func (m *meter) total() provider.Money {
	spent, doubt := m.sums()
	return spent + doubt
}

func (m *meter) Make(ctx context.Context, r *provider.Request, s provider.Sink) (provider.Reply, error) {
	told := &metered{Sink: s, waits: m.waits}
	reply, err := m.Maker.Make(ctx, r, told)
	if told.unanswered == 0 {
		return reply, err // whatever it was, it did not get out, or owes nothing
	}
	var estimate provider.Money
	if o, ok := m.Offer(r.Model); ok {
		one, _ := o.Price(r)
		estimate = one * provider.Money(r.N)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var failed *provider.Error
	switch {
	case err == nil:
		m.spent += reply.Price
	case errors.As(err, &failed) && (failed.Kind == provider.InDoubt || failed.Kind == provider.Unfinished):
		m.spent += told.delivered
		m.doubt += max(0, estimate-told.delivered)
	case errors.As(err, &failed):
		m.spent += told.delivered + failed.Price
	case ctx.Err() != nil:
		m.doubt += estimate
	default: // of the sink: what came is paid for
		m.spent += cmp.Or(reply.Price, estimate)
	}
	return reply, err
}

// metered is the sink of one call.
type metered struct {
	provider.Sink
	waits      func(time.Duration, string)
	unanswered int
	delivered  provider.Money
}

func (s *metered) Sent() error {
	err := s.Sink.Sent()
	if err == nil {
		s.unanswered++
	}
	return err
}

func (s *metered) Answered() error {
	s.unanswered--
	return s.Sink.Answered()
}

func (s *metered) Delivered(i int, from provider.Delivery, price provider.Money) error {
	err := s.Sink.Delivered(i, from, price)
	if err == nil {
		s.delivered += price
	}
	return err
}

func (s *metered) Waiting(d time.Duration, why string) {
	s.waits(d, why)
	s.Sink.Waiting(d, why)
}
