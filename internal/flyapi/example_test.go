package flyapi_test

import (
	"context"
	"fmt"

	"github.com/flysql/flysql/internal/flyapi"
	"github.com/flysql/flysql/internal/flyapi/fakefly"
	fly "github.com/superfly/fly-go"
)

func Example() {
	fake := fakefly.New() // stands for Fly
	defer fake.Close()
	fake.AddApp("shop", "personal")
	fake.AddVolume("shop", fly.Volume{Name: "data", Region: "ams", SizeGb: 10})

	env := map[string]string{"FLY_API_TOKEN": fakefly.Token, "FLY_FLAPS_BASE_URL": fake.URL()}
	config, err := flyapi.FromEnv("", func(name string) string { return env[name] })
	if err != nil {
		fmt.Println(err)
		return
	}
	config.App = "shop"
	client, err := flyapi.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	volumes, err := client.Volumes(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range volumes {
		fmt.Println(v.Name, v.Region, v.SizeGb)
	}
	fmt.Println(config.Token)
	// Output:
	// data ams 10
	// token of FLY_API_TOKEN
}

func ExampleNewToken() {
	token := flyapi.NewToken("--access-token", "FlyV1 fm2_abc,fm2_def")
	fmt.Println(token)
	fmt.Printf("%#v\n", token)
	// Output:
	// token of --access-token
	// flyapi.Token("token of --access-token")
}
