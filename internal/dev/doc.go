// Package dev runs the app of a directory as Fly would, on this machine: it reads its
// fly.toml and litefs.yml, builds it, starts its machines in several regions with Fly's
// proxy before them, and tells what happens.
//
//	s, err := dev.Start(ctx, dev.Options{Dir: ".", Regions: []string{"ord", "ams", "syd"}, Latency: "real"})
//	if err != nil {
//		return err
//	}
//	defer s.Close(ctx)
//	fmt.Println(s.URL(""))
//
// What is run is what the image would run: the command and the variables of the last stage
// of the Dockerfile, which fly.toml's [processes] and [env] go before. Its program is built
// here with the go build of the Dockerfile, for this machine; whatever else the image has is
// not made. A path of the image that is a variable's value (FLYSQL_MIGRATIONS), or the
// directory that the command runs in, is taken to the directory of the repository that COPY
// has it from. An app that is not written in Go needs [Options.Command].
//
// Without LiteFS there is one machine, on a directory for its volume; the same where litefs.yml
// is there, and LiteFS cannot be run: State.Why says what is missing. An app that mounts no
// volume has nothing to keep, and may have any number of machines.
//
// All that a session makes is under [Options.StateDir]. It is found again by the next one.
// How machines and proxy differ from Fly's, packages cluster and edge say.
package dev
