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
