// SPDX-License-Identifier: MPL-2.0

// Packer-plugin-chain turns Packer into the pipeline for chained machine images.
package main

import (
	"fmt"
	"os"

	"github.com/hashicorp/packer-plugin-sdk/plugin"
	sdkversion "github.com/hashicorp/packer-plugin-sdk/version"

	"github.com/packer-chain/packer-plugin-chain/builder/existing"
	"github.com/packer-chain/packer-plugin-chain/builder/report"
	"github.com/packer-chain/packer-plugin-chain/datasource/image"
	"github.com/packer-chain/packer-plugin-chain/datasource/parent"
	"github.com/packer-chain/packer-plugin-chain/internal/version"
	"github.com/packer-chain/packer-plugin-chain/postprocessor/publish"
	"github.com/packer-chain/packer-plugin-chain/postprocessor/revoke"
)

func main() {
	set := plugin.NewSet()
	set.SetVersion(sdkversion.NewPluginVersion(version.Version, version.VersionPrerelease, ""))
	set.RegisterDatasource(plugin.DEFAULT_NAME, new(parent.Datasource))
	set.RegisterDatasource("image", new(image.Datasource))
	set.RegisterBuilder(plugin.DEFAULT_NAME, new(existing.Builder))
	set.RegisterBuilder("report", new(report.Builder))
	set.RegisterPostProcessor(plugin.DEFAULT_NAME, new(publish.PostProcessor))
	set.RegisterPostProcessor("revoke", new(revoke.PostProcessor))
	if err := set.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
