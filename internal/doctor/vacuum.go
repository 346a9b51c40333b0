package doctor

import "github.com/flysql/flysql/internal/migrate"

// checkVacuum: FLY414.
func checkVacuum(c *checker) {
	if c.Facts == nil || !c.runsLiteFS() {
		return
	}
	for _, name := range c.Facts.Migrations {
		data, err := c.read(name)
		if err != nil {
			continue // that it cannot be read is for the tool to say
		}
		found := migrate.Shrinks(string(data))
		if len(found) == 0 {
			continue
		}
		c.sources[name] = data
		line, col := lineAt(data, found[0].Offset)
		f := c.report(c.at(name, line, col, ""), "%s makes the database smaller: in WAL mode, LiteFS v0.5.14 panics at the end of a transaction that does so by more than about 1 MiB", found[0].What).
			hint("take it out: SQLite uses the free pages again; where it must be, run it with journal_mode delete")
		if c.LiteFS != nil {
			f.also(c.inFile(&c.LiteFS.TextFile), "LiteFS")
		}
	}
}
