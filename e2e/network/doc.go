// Package network gives machines a network of their own, as Fly gives an app's
// machines one (6PN): each has a network namespace with an IPv6 address, so all
// can use the same ports, and all are joined by a bridge in one more namespace,
// the hub. This program speaks to them from the hub. Nothing of it is seen on the
// host, which keeps its interfaces and addresses as they are, and nothing leaves:
// there is no route to anywhere else.
//
// It needs Linux, root and iproute2. The namespaces end with their last process
// and with Close; a program that is killed leaves none.
package network
