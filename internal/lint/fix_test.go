package lint

import "testing"

func TestMend(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ code, text, want string }{
		{"IB4004", `"Image of a lake"`, `"A lake"`},
		{"IB4004", `"The photo showing émigrés"`, `"Émigrés"`},
		{"IB4004", `"A lake"`, `"A lake"`},
		{"IB4004", `"Picture of \"x\""`, `"Picture of \"x\""`}, // no letter to begin with
		{"IB4004", "<<-EOT\n    Image of a lake\n      below hills\n  EOT", "<<-EOT\n    A lake\n      below hills\n  EOT"},
		{"IB1020", "\"a\u200b b\u00a0c \"", `"a b c"`},
		{"IB1020", `"a\n "`, `"a\n"`},
		{"IB1020", "<<EOT\r\n  a\t\r\nb \u202e\r\nEOT", "<<EOT\r\n  a\nb\nEOT"},
		{"IB1020", "<<EOT\nEOT", "<<EOT\nEOT"},
		{"IB1020", `x`, `x`},
	} {
		if got := mend(tt.code, tt.text); got != tt.want {
			t.Errorf("%s %q: %q, not %q", tt.code, tt.text, got, tt.want)
		}
	}
}
