// Package flyconf reads, checks and writes the files that tell Fly.io how to run
// an app: fly.toml, the Dockerfile, and LiteFS's litefs.yml.
//
// Parse gives a fly.toml as flyctl understands it, ParseDocument edits one,
// comments, order and layout kept, and Render writes one anew. ParseDockerfile
// gives a Dockerfile's stages and instructions, and edits single instructions,
// leaving every other byte. ParseLiteFS gives a litefs.yml as LiteFS understands
// it, and ParseLiteFSDocument edits one, comments kept.
//
// It is not a client of Fly's API and never touches the network, and it does not
// look at the app: what belongs into the file is its caller's to decide.
//
// A Config is the file as Go values. Parse makes one from text, Validate says
// everything that is wrong with it, Render writes it:
//
//	cfg, err := flyconf.Parse("fly.toml", text)
//	if err != nil {
//		return err // each problem as file:line:col: key: what to do
//	}
//	if err := cfg.Validate(); err != nil {
//		return err
//	}
//	text, err = flyconf.Render(cfg, nil)
//
// The model has every key that flyctl knows. A key that flyctl does not know is a
// warning, is kept in the Extra of its table, and is written back, so that Render
// after Parse loses nothing but comments and layout. fly.json and fly.yaml are
// read by the same Parse.
//
// Config.Problems lists everything there is to say about a file, each with a
// severity, line, column and fix, and Problem.Excerpt shows the line:
//
//	for _, p := range cfg.Problems() {
//		fmt.Printf("%s: %v\n%s", p.Severity, p, p.Excerpt(text))
//	}
//
// A Document is the file's own text. Edits of it change only the lines that must
// change, in whatever form they are written, and none where the file says the same
// already:
//
//	doc, err := flyconf.ParseDocument("fly.toml", text)
//	if err != nil {
//		return err
//	}
//	if err := doc.Set("mounts[0].initial_size", "3GB"); err != nil {
//		return err
//	}
//	text = doc.Bytes()
//
// What is accepted follows flyctl's own reading of the file
// (https://fly.io/docs/reference/configuration/), with one exception: values that
// flyctl accepts and then reads as something else than they look like, such as an
// integer that becomes nanoseconds, are problems here.
package flyconf
