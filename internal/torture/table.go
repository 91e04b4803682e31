package main

// table is all attacks, in the order in which they are told.
func table() []*row {
	return append([]*row{
		killRow("SIGKILL during apply, deferred jobs", true),
		killRow("SIGKILL during apply, plain calls", false),
		diskRow("sketch", 1000),
		diskRow("deferred jobs", 1500),
		diskRow("plain calls", 1500),
		powerRow(),
		fullDiskRow(),
		limitRow(),
		injectRow(),
		untrustedRow(),
		inertRow(),
		historyRow(),
	}, fuzzRows()...)
}
