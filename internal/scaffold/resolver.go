package scaffold

import "fmt"

// resolver follows names to where their values come from.
type resolver struct {
	code  *goCode
	seen  map[string]bool
	depth int // how many names are followed, one after the other
	// keeps tells whether a variable counts that was met on the way.
	keeps func(variable string) bool
	inDir bool // it looks for a directory

	envs, flags, lits []located
	ports             []located
	dirs              []inDir
}

// maxFollow is how many names stand between a variable and the call that opens
// the database, at most. Real code has one to four.
const maxFollow = 8

func newResolver(c *goCode) *resolver {
	return &resolver{code: c, seen: map[string]bool{}, depth: maxFollow, keeps: dbish.MatchString}
}

// follow adds what o is made of. via is the name that led to it.
func (r *resolver) follow(o origin, depth int, via string) {
	for _, e := range o.envs {
		r.addEnv(e, depth)
	}
	for _, c := range o.consts {
		for _, value := range r.code.values[c.text] {
			for _, lit := range value.lits {
				if envVariable.MatchString(lit.text) {
					r.addEnv(located{lit.text, c.place}, max(depth, 1))
				}
			}
		}
	}
	for _, f := range o.flags {
		if depth == 0 || flagOfDB.MatchString(f.text) || r.inDir && dirFlag.MatchString(f.text) {
			r.flags = append(r.flags, f)
		}
	}
	r.lits = append(r.lits, o.lits...)
	r.dirs = append(r.dirs, o.dirs...)
	r.addPorts(o, depth, via)
	if depth == r.depth {
		return
	}
	for _, key := range o.keys {
		if variable := r.code.config.fromKey(key.text); envVariable.MatchString(variable) {
			r.addEnv(located{variable, key.place}, depth)
		}
		r.name(keyPrefix+key.text, depth)
	}
	for _, name := range o.names {
		r.name(name, depth)
	}
}

func (r *resolver) name(name string, depth int) {
	if r.seen[name] {
		return
	}
	r.seen[name] = true
	for _, next := range r.code.values[name] {
		r.follow(next, depth+1, name)
	}
}

// addEnv keeps a variable. What is read in the call itself is meant; on the way
// there, names that many things share may have led astray.
func (r *resolver) addEnv(e located, depth int) {
	if envVariable.MatchString(e.text) && usable(e.text) && (depth == 0 || r.keeps(e.text) || r.inDir && dirVariable.MatchString(e.text)) {
		r.envs = append(r.envs, e)
	}
}

// quotedAt shows a string of the code.
func quotedAt(text, place string) string { return fmt.Sprintf("%q (%s)", text, place) }
