// Package private is what an app's machines know of each other by Fly's private network:
// the names under .internal, and the environment of a machine.
//
//	zone := &private.Zone{}
//	zone.Set(machines)
//	err := zone.Serve(ctx, "ams", packets, listener) // for a machine in ams
//
// # How a program on this machine finds the names
//
// On Fly the DNS server is fdaa::3, port 53, which every machine's /etc/resolv.conf
// names. Here nobody may be root, so it is on a port of loopback, and no setting of a
// resolver by the environment has a port, or a server at all, Go's own included. Three
// ways are left:
//
//   - A Go program that is told of the port makes a net.Resolver with PreferGo and a Dial
//     that goes there ([Resolver]).
//   - [Zone.Hosts] is the same names, those of TXT aside, as /etc/hosts. Where user
//     namespaces are allowed, a process can have it mounted there without root, and any
//     program in any language reads it. It must be rewritten in place to be seen.
//   - With root, or in a network namespace of the machine's own, the server can be on
//     port 53.
//
// # Addresses
//
// Fly's are IPv6 alone, of fdaa::/16. Without root there is one IPv6 address of loopback,
// and all of 127.0.0.0/8 on Linux. So machines may have IPv4 addresses: then the names
// have A records, which Fly has not, and no AAAA.
//
// # What is left out
//
// WireGuard peers, of which there are none, so _peer.internal is empty; and any name
// outside of .internal, which is REFUSED. Of _instances.internal Fly documents what is in
// it and not how it is written: it is as programs that read it expect it,
// "instance=ID,app=APP,ip=ADDRESS,region=REGION;instance=...".
//
// https://fly.io/docs/networking/private-networking/
// https://fly.io/docs/machines/runtime-environment/
package private
