package flyconf

// Position is where a key stands in the file that c was parsed from, from 1, or
// else the nearest table around it, where a missing key belongs. It is 0, 0 where
// there is no place to point at. The key is written as in Problem.Key:
// "mounts[0].destination", whatever form the file has.
func (c *Config) Position(key string) (line, col int) { return c.source.lineAndColumn(key) }

// Has tells whether the key itself is in the file that c was parsed from.
func (c *Config) Has(key string) bool { _, ok := c.source.keys[key]; return ok }

// Position is where a key stands in the file that c was parsed from, as of
// Config.Position: "lease.consul.url".
func (c *LiteFS) Position(key string) (line, col int) { return c.source.lineAndColumn(key) }

// Has tells whether the key itself is in the file that c was parsed from.
func (c *LiteFS) Has(key string) bool { _, ok := c.source.keys[key]; return ok }

// Resolved tells whether the value of a key depends on no variable that
// ParseLiteFS was not given.
func (c *LiteFS) Resolved(key string) bool { return !c.unresolved[key] }

// Position is where the instruction begins, from 1; the column counts bytes.
func (in Instruction) Position() (line, col int) { return in.Line, in.col }

func (s source) lineAndColumn(key string) (line, col int) {
	at := s.position(key)
	return at.line, at.col
}
