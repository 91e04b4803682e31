package config

import (
	_ "embed"
	"strings"
	"sync"
)

// functionExamples has a call of each function and, behind " → ", its result,
// which a test writes.
//
//go:embed function_examples.txt
var functionExamples string

// Example is a call of a function and its result, as HCL writes it.
type Example struct{ Call, Result string }

// exampleOf is by the name of the function.
var exampleOf = sync.OnceValue(func() map[string]Example {
	m := map[string]Example{}
	for line := range strings.Lines(functionExamples) {
		call, result, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " → ")
		name, _, _ := strings.Cut(call, "(")
		m[name] = Example{call, result}
	}
	return m
})
