// SPDX-License-Identifier: MPL-2.0

// Package version holds the version of the plugin.
package version

var (
	// Version is the version without its prerelease. A release sets it with -ldflags -X.
	Version = "0.1.0"
	// VersionPrerelease is "dev" in a build from source and empty in a release.
	VersionPrerelease = "dev"
)

// String returns the version as it goes into manifests, such as "0.1.0-dev".
func String() string {
	if VersionPrerelease == "" {
		return Version
	}
	return Version + "-" + VersionPrerelease
}
