package cli

import "golang.org/x/term"

func terminalWidth(fd int) (int, bool) {
	if !term.IsTerminal(fd) {
		return 0, false
	}
	width, _, err := term.GetSize(fd)
	if err != nil {
		width = 0
	}
	return width, true
}
