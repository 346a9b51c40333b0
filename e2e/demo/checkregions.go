package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/dev"
)

type machine = dev.Machine

// ways looks at the way that requests have taken.
func (c *check) ways(ctx context.Context) error {
	far := c.regions[len(c.regions)-1]
	signed := 0
	sign := func(client *guestbook.Client) func() error {
		return func() error {
			signed++
			_, err := client.Sign(ctx, "Ada", fmt.Sprintf("By which way? %d.", signed))
			return err
		}
	}
	near, err := c.fastest(ctx, c.regions[0], sign(c.first()))
	if err != nil {
		return err
	}
	replayed, err := c.fastest(ctx, far, sign(c.last()))
	if err != nil {
		return err
	}
	if replayed.MS <= near.MS {
		return fmt.Errorf("the fastest of some writes by way of %s took %.1f ms, and in %s itself %.1f ms: the way between is not seen", far, replayed.MS, c.regions[0], near.MS)
	}
	c.say.ok("and that was the slower one, as the way is longer")
	read, err := c.s.way(ctx, far, http.MethodGet, "/messages.json", func() error {
		_, err := c.last().Messages(ctx)
		return err
	})
	if err != nil {
		return err
	}
	c.say.ok("GET /messages.json: " + read.Way)
	if len(read.Hops) != 1 || read.Hops[0].Region != far {
		return fmt.Errorf("a read in %s was answered elsewhere: %s", far, read.Way)
	}
	visit, err := c.s.way(ctx, far, http.MethodGet, "/", func() error {
		_, err := c.last().Get(ctx, "/")
		return err
	})
	if err != nil {
		return err
	}
	c.say.ok("GET /, which counts its readers: " + visit.Way)
	return replayedTo(visit, far, c.s.now().Primary)
}

// fastest does the same some times, and returns the fastest, which must be of the expected
// way each time.
func (c *check) fastest(ctx context.Context, edge string, do func() error) (fastest dev.Request, err error) {
	for range 3 {
		r, err := c.s.way(ctx, edge, http.MethodPost, "/messages", do)
		if err != nil {
			return r, err
		}
		if edge != c.regions[0] {
			if err := replayedTo(r, edge, c.s.now().Primary); err != nil {
				return r, err
			}
		}
		if fastest.MS == 0 || r.MS < fastest.MS {
			fastest = r
		}
	}
	c.say.ok("POST /messages: " + fastest.Way)
	return fastest, nil
}

// replayedTo wants a request that a machine of a region had replayed to the primary.
func replayedTo(r dev.Request, region, primary string) error {
	if n := len(r.Hops); n < 2 || r.Hops[0].Region != region || r.Hops[0].Replay == "" || r.Hops[n-1].Machine != primary || r.Hops[n-1].Why != "replay" {
		return fmt.Errorf("it was not replayed from %s to %s: %s", region, primary, r.Way)
	}
	return nil
}

// stored compares the copy of the database that each machine has, past the app: with rows, or
// with what a writer was told, if there is one; then the first one's rows are those of all.
func (c *check) stored(ctx context.Context, rows []guestbook.Message, w *guestbook.Writer) error {
	known := rows != nil
	for _, m := range c.s.now().Machines {
		if !c.single && m.State != "started" {
			continue
		}
		err := poll.Until(ctx, "all that was written on "+m.ID, func(ctx context.Context) (err error) {
			file, err := c.copyOf(ctx, m)
			if err != nil {
				return err
			}
			if !known {
				if rows, err = guestbook.Stored(ctx, file); err != nil {
					return err
				}
			}
			if err := guestbook.Intact(ctx, file, rows); err != nil || w == nil {
				return err
			}
			return errors.Join(w.Kept(rows), guestbook.HasMore(ctx, file))
		})
		if err != nil {
			return err
		}
		known = true
	}
	return nil
}

// copyOf is a file with a machine's database: its volume's, or what its LiteFS exports.
func (c *check) copyOf(ctx context.Context, m machine) (string, error) {
	const database = "guestbook.db"
	root := filepath.Dir(m.Log)
	if c.single {
		return filepath.Join(root, "volume", database), nil
	}
	data, err := os.ReadFile(filepath.Join(root, "litefs.yml"))
	if err != nil {
		return "", err
	}
	conf, err := flyconf.ParseLiteFS("litefs.yml", data, nil)
	if err != nil {
		return "", err
	}
	file := filepath.Join(c.dir, m.ID+".db")
	return file, guestbook.Export(ctx, http.DefaultClient, "http://"+conf.HTTP.Addr, database, file)
}

// takesOver waits for the next primary: until then, the other regions serve what they have.
func (c *check) takesOver(ctx context.Context, old string, before []guestbook.Message, reads int) error {
	start, others := time.Now(), c.regions[1:]
	for _, region := range others {
		if err := c.person.Uncounted(ctx, region, before[len(before)-1].Body, reads); err != nil {
			return err
		}
	}
	c.say.ok(fmt.Sprintf("%s killed; %s still serve what they have, uncounted", old, strings.Join(others, " and ")))
	far := others[len(others)-1]
	if err := c.person.SignAgain(ctx, far, "After the kill"); err != nil {
		return err
	}
	c.say.ok(fmt.Sprintf("written by way of %s again after %.0f s: %s is the primary", far, time.Since(start).Seconds(), c.s.now().Primary))
	return nil
}

// cuts takes a region off the network, and back.
func (c *check) cuts(ctx context.Context) error {
	far := c.regions[len(c.regions)-1]
	port, err := c.s.port()
	if err != nil {
		return err
	}
	before, err := c.person.Messages(ctx)
	if err != nil {
		return err
	}
	if err := c.s.do(ctx, "regions/"+far+"/cut"); err != nil {
		return err
	}
	if _, err := c.first().Sign(ctx, "Ada", "While a region is cut off."); err != nil {
		return err
	}
	// Somebody else, of whom no machine knows what they have written.
	there := guestbook.In(port, far, nil)
	if got, err := there.Messages(ctx); err != nil || len(got) != len(before) {
		return errors.Join(fmt.Errorf("in %s, cut off: %d messages, want the %d of before", far, len(got), len(before)), err)
	}
	c.say.ok(fmt.Sprintf("%s is cut off: it serves what it has, and the others take messages", far))
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	_, err = there.Sign(short, "Grace", "From nowhere.")
	cancel()
	if err == nil {
		return fmt.Errorf("%s, cut off from the primary, acknowledged a message", far)
	}
	c.say.ok(far + " acknowledges nothing")
	if err := c.s.do(ctx, "regions/"+far+"/mend"); err != nil {
		return err
	}
	if err := c.person.SignAgain(ctx, far, "After the cut"); err != nil {
		return err
	}
	if err := c.person.StillThere(ctx, before); err != nil {
		return err
	}
	c.say.ok(far + " is back, has what was written meanwhile, and takes messages")
	return nil
}
