package provider

// Defaults is what a provider block of a type means that says nothing else.
func Defaults(kind string) Config {
	return Config{Type: kind, Wire: "current", Transport: "rest", Response: "url", Deferred: true, InDoubt: "hold", Parallelism: 8}
}
