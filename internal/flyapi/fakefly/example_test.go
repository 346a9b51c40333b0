package fakefly_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	fly "github.com/superfly/fly-go"
)

// A gateway answers with an error, and the volume was made all the same.
func Example() {
	fake := fakefly.New()
	defer fake.Close()
	fake.AddApp("shop", "personal")
	fake.Fail("CreateVolume", fakefly.BadGatewayAfterSuccess)

	client, err := flyapi.New(flyapi.Config{Token: flyapi.NewToken("test", fakefly.Token), App: "shop", BaseURL: fake.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	size := 1
	_, err = client.CreateVolume(context.Background(), fly.CreateVolumeRequest{Name: "data", Region: "ams", SizeGb: &size})
	fmt.Println(errors.Is(err, flyapi.ErrUnknown))
	volumes, err := client.Volumes(context.Background())
	fmt.Println(len(volumes), err)
	fmt.Println(fake.Calls())
	// Output:
	// true
	// 1 <nil>
	// map[CreateVolume:1 Volumes:1]
}
