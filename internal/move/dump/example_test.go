package dump_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/flysql/flysql/internal/move"
	"github.com/flysql/flysql/internal/move/dump"
)

func Example() {
	const text = `--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
CREATE TABLE public.users (
    id integer NOT NULL,
    name text
);
COPY public.users (id, name) FROM stdin;
1	Ada; -- of London
2	\N
\.
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
--
-- PostgreSQL database dump complete
--
`
	d, err := dump.Read(context.Background(), "users.sql", strings.NewReader(text), dump.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	plan, err := move.NewPlan(d.Schema(), move.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range plan.Tables {
		fmt.Println(t.Name, t.Source.Rows)
		if _, err := d.CopyTable(context.Background(), os.Stdout, t); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// users 2
	// 1	Ada; -- of London
	// 2	\N
}
