package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/imgbuild/imgbuild/internal/config"
	"github.com/imgbuild/imgbuild/internal/diag"
)

// mayAsk reports whether somebody is there who can be asked: both ends are a
// terminal, and this is no CI.
func mayAsk(env *Env) bool {
	_, in := terminal(env.Stdin)
	_, out := terminal(env.Stderr)
	return in && out && env.Getenv("CI") == ""
}

// askVariable asks for the value of a variable, as Terraform does. The end of
// the input ends the questions; Ctrl-C ends the command (session.tell).
func (s *session) askVariable(q config.Question) (string, bool) {
	if s.noAnswer != nil {
		return "", false
	}
	fmt.Fprintf(s.env.Stderr, "%s\n", palette(s.env, s.env.Stderr).Bold("var."+diag.Clean(q.Name)))
	for line := range strings.Lines(strings.TrimSpace(q.Description)) {
		fmt.Fprintf(s.env.Stderr, "  %s\n", diag.Clean(strings.TrimSpace(line)))
	}
	text, err := readAnswer(s.env.Stdin.(*os.File), q.Sensitive, func() { fmt.Fprint(s.env.Stderr, "\n  Enter a value: ") })
	if err != nil || q.Sensitive {
		fmt.Fprintln(s.env.Stderr) // the one that was not typed, or not seen
	}
	fmt.Fprintln(s.env.Stderr)
	s.noAnswer = err
	return text, err == nil
}

var errInterrupted = errors.New("interrupted")

// readAnswer asks and reads a line, without an echo if it is hidden, and nothing
// beyond it. The terminal is left as it was, whatever happens.
func readAnswer(f *os.File, hidden bool, ask func()) (string, error) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	got := make(chan os.Signal, 1)
	signal.Notify(got, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(got)
	ask()
	type answer struct {
		text string
		err  error
	}
	read := make(chan answer, 1)
	go func() { // after a signal nobody waits for it: the process ends
		var a answer
		if hidden {
			a.text, a.err = readHidden(f)
		} else {
			a.text, a.err = readSeen(f)
		}
		read <- a
	}()
	select {
	case a := <-read:
		return a.text, a.err
	case <-got:
		_ = term.Restore(fd, before)
		return "", errInterrupted
	}
}

// readSeen reads a line byte by byte, and leaves what follows it to who reads
// next.
func readSeen(r io.Reader) (string, error) {
	var line []byte
	for b := []byte{0}; ; {
		n, err := r.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1:
			line = append(line, b[0])
		case err == io.EOF && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		}
	}
}

// readHidden does the same with a terminal that shows nothing and leaves the
// keys to us. (term.ReadPassword does not see Ctrl-D.)
func readHidden(f *os.File) (string, error) {
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return "", err
	}
	defer term.Restore(int(f.Fd()), before)
	var line []byte
	for b := []byte{0}; ; {
		n, err := f.Read(b)
		if n == 0 {
			return "", cmp.Or(err, io.EOF)
		}
		switch b[0] {
		case '\r', '\n':
			return string(line), nil
		case 'C' - '@':
			return "", errInterrupted
		case 'D' - '@':
			if len(line) == 0 {
				return "", io.EOF
			}
		case 'U' - '@':
			line = nil
		case '\b', 0x7f:
			_, last := utf8.DecodeLastRune(line)
			line = line[:len(line)-last]
		default:
			line = append(line, b[0])
		}
	}
}
