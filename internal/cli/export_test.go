package cli

// Flags lists the flags of each verb, for a test that must know them all.
func Flags() map[string][]string {
	all := map[string][]string{}
	for _, v := range verbs() {
		all[v.name] = []string{}
		for _, f := range v.flags {
			all[v.name] = append(all[v.name], f.Names()[0])
		}
	}
	return all
}

// What the tests of the manual, which run the program from outside, ask of it.
var (
	LanguageManual = languageManual
	CLIManual      = cliManual
	Meaning        = meaning
	OtherCodes     = otherCodes
)

// VerbExamples are the commands in the help of each verb.
func VerbExamples() map[string][]string {
	out := map[string][]string{}
	for _, v := range verbs() {
		out[v.name] = v.examples()
	}
	return out
}
