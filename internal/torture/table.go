package main

// table is all attacks, in the order in which they are told.
func table() []*row {
	return append([]*row{
		killRow("SIGKILL during apply, deferred jobs", true),
		killRow("SIGKILL during apply, plain calls", false),
		diskRow("sketch", 1800),
		diskRow("deferred jobs", 1800),
		diskRow("plain calls", 1800),
		powerRow(),
		fullDiskRow(),
		limitRow(),
		injectRow(),
		untrustedRow(),
		inertRow(),
		historyRow(),
		budgetRow(),
		signalRow(),
		atOnceRow(),
		sameRow(),
		faultRow(),
		hostileRow(),
	}, append(testRows(), fuzzRows()...)...)
}
