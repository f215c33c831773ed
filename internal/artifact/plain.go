// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

var _ packersdk.Artifact = (*Files)(nil)

// Files is an artifact that consists of files which stay when it is destroyed.
type Files struct {
	id    string
	names []string
}

// NewFiles returns the artifact of files.
func NewFiles(id string, names []string) *Files { return &Files{id, names} }

// BuilderId returns the id of the artifact.
func (f *Files) BuilderId() string { return f.id }

// Files returns the names of the files.
func (f *Files) Files() []string { return f.names }

// Id returns the id of the artifact.
func (f *Files) Id() string { return f.id }

// String returns what Packer prints at the end of the build.
func (f *Files) String() string { return strings.Join(f.names, ", ") }

// State returns a value for every name that a template may refer to as build.NAME.
func (f *Files) State(name string) any {
	if name != "generated_data" {
		return nil
	}
	data := generatedData()
	data["ID"] = f.id
	return data
}

// Destroy does nothing: a report of a failed build is still right.
func (f *Files) Destroy() error { return nil }
