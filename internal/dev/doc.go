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
package dev
