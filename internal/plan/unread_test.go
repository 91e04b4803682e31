package plan

import (
	"testing"

	"github.com/imgbuild/imgbuild/internal/digest"
)

// What was bought and can't be read is not bought again, however it is asked
// for; what is known of it is used, and others go on.
func TestUnreadIsNotBought(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		n       int
		forget  bool // what the store knows
		replace []string
		want    string
		problem bool
	}{
		{name: "known is enough", n: 2, want: "restore a (changed prompt, bought)"},
		{name: "known is too little", n: 3, want: "restore a (bought)", problem: true},
		{name: "nothing is known", n: 1, forget: true, want: "hold a (changed prompt)", problem: true},
		{name: "replaced", n: 1, replace: []string{"image.a"}, want: "hold a (asked -replace)", problem: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(img("a", prompt("first"), n(2)))
			w.apply(w.plan())
			first := w.lock.Get("image.a").Request
			w.set(img("a", prompt("second"), n(2)))
			w.apply(w.plan())
			if tt.forget {
				delete(w.store, first)
			}
			w.set(img("a", prompt("first"), n(tt.n)), img("b"))
			want := []string{tt.want, "generate b (new) 1× $0.02"}
			if tt.problem {
				want = append(want, "problem image.a bought: what was bought for "+first.Short()+" can't be read, so nothing is bought for it: it rots")
			}
			check(t, w.plan(func(in *Input) {
				in.Unread, in.Select.Replace = map[digest.Request]string{first: "it rots"}, tt.replace
			}), want...)
		})
	}
}
