// Package load sends an app requests at a rate that does not wait for its answers, as
// visitors do, and measures how long they take, by region and by the way that they took
// among the app's machines.
//
//	result, err := load.Run(ctx, load.Options{URL: "http://localhost:8080", Rate: 200, For: 30 * time.Second, Reads: reads}, nil)
//	if err != nil {
//		return err
//	}
//	fmt.Println(result.Report().All.Latency.P99)
//
// Where the app is so slow that requests must wait before they can be sent, that wait is in
// the figures: a visitor would have waited too. Where the machine that sends is late by
// itself, it is not, and told apart.
//
// Which request is sent when, and by whom, follows from [Options.Seed] alone.
//
// # What it does not do
//
// It follows no redirect and runs no script of a page. It speaks HTTP/1.1, so that
// visitors do not share a connection at a time. It retries no write.
package load
