// Reads a dashboard by the schema that Grafana publishes for each kind of panel, and prints what does not conform: fields
// that are unknown, missing, of another type, or of a value that is not allowed.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err.Error())
	}
	var read dashboard.Dashboard
	// The list of errors is never nil, but may be empty.
	if err := read.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		fail(err.Error())
	}
	if err := read.Validate(); err != nil && err.Error() != "" {
		fail(err.Error())
	}
	fmt.Printf("%d panels conform.\n", len(read.Panels))
}

func fail(reason string) {
	fmt.Println(reason)
	os.Exit(1)
}
