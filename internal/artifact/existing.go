// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	registryimage "github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

var _ packersdk.Artifact = (*Existing)(nil)

// Existing is an image that existed before the build. It looks like the artifact of the builder
// that made it, so that other post-processors take it.
type Existing struct {
	image, fingerprint string
	entries            []manifest.Entry
	folders            []string
}

// NewExisting returns the artifact of an image that consists of entries of its manifest: at least
// one. Its files may be in the working directory, and in the folders.
func NewExisting(
	image, fingerprint string, entries []manifest.Entry, folders ...string,
) *Existing {
	return &Existing{image, fingerprint, entries, folders}
}

// The states in which an existing image names itself.
const (
	StateImage       = "chain.image"
	StateFingerprint = "chain.fingerprint"
)

// BuilderId returns the id of the builder that made the image.
func (a *Existing) BuilderId() string { return a.entries[0].BuilderID }

// Files returns the names of the image's files. An AMI has none. If one of them is not what was
// built, it returns none of them, because a part of the image is not the image.
func (a *Existing) Files() []string {
	if why := a.withheld(); why != "" {
		log.Printf("[WARN] the files of %s are not passed on: %s", a.image, why)
		return nil
	}
	var names []string
	for _, entry := range a.entries {
		for _, file := range entry.Files {
			names = append(names, file.Name)
		}
	}
	return names
}

// Id returns "region:ami-…,region:ami-…", sorted, as the Amazon plugin does. For other images, it
// returns the ids of their artifacts.
func (a *Existing) Id() string {
	var ids []string
	for _, entry := range a.entries {
		amis := entry.AMIs()
		for _, image := range amis {
			ids = append(ids, image.Region+":"+image.ID)
		}
		if len(amis) == 0 {
			ids = append(ids, entry.ArtifactID)
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ",")
}

// String returns what Packer prints at the end of the build.
func (a *Existing) String() string {
	return fmt.Sprintf("%s exists:\n%s\n", a.image, strings.Join(a.Lines(), "\n"))
}

// Lines returns the AMIs with their regions, one on each line, sorted. A warning comes last.
func (a *Existing) Lines() []string {
	var lines []string
	for _, entry := range a.entries {
		amis := entry.AMIs()
		for _, image := range amis {
			lines = append(lines, image.Region+": "+image.ID)
		}
		if len(amis) == 0 {
			lines = append(lines, text.OneLine(entry.Source())+": "+text.OneLine(entry.ArtifactID))
		}
	}
	slices.Sort(lines)
	if why := a.withheld(); why != "" {
		lines = append(lines, "warning: its files are not passed on: "+why)
	}
	return slices.Compact(lines)
}

// State returns what post-processors ask an Amazon artifact for: the images of the registry, and
// the data that the builder generated.
func (a *Existing) State(name string) any {
	switch name {
	case registryimage.ArtifactStateURI:
		return a.registryImages()
	case "generated_data":
		return a.generatedData()
	case StateImage:
		return a.image
	case StateFingerprint:
		return a.fingerprint
	}
	return nil
}

func (a *Existing) registryImages() []*registryimage.Image {
	var images []*registryimage.Image
	for _, entry := range a.entries {
		for _, image := range entry.Images {
			images = append(images, &registryimage.Image{
				ImageID: image.ID, SourceImageID: image.SourceID,
				ProviderName: image.Provider, ProviderRegion: image.Region,
				Labels: map[string]string{},
			})
		}
	}
	return images
}

// generatedData returns a value for every name that a template may refer to as build.NAME. Packer
// evaluates these for each source of a build: a missing one would be an error, or reach others as
// "<unknown>".
func generatedData() map[string]any {
	data := map[string]any{}
	for _, name := range slices.Concat(commonData, AmazonData) {
		data[name] = ""
	}
	data["PackerRunUUID"] = os.Getenv("PACKER_RUN_UUID")
	return data
}

func (a *Existing) generatedData() map[string]any {
	data := generatedData()
	for _, entry := range a.entries {
		for _, image := range entry.AMIs() {
			if image.SourceID != "" {
				data["SourceAMI"], data["BuildRegion"] = image.SourceID, image.Region
				return data
			}
		}
	}
	return data
}

// commonData are the names that the builders of all instances generate (Packer,
// packer/provisioner.go).
var commonData = []string{
	"ID", "Host", "Port", "User", "Password", "ConnType", "PackerRunUUID",
	"PackerHTTPPort", "PackerHTTPIP", "PackerHTTPAddr",
	"SSHPublicKey", "SSHPrivateKey", "WinRMPassword",
}

// AmazonData are the names that the builders of AMIs generate besides (Amazon plugin,
// common/interpolate_build_info.go).
var AmazonData = []string{
	"SourceAMIName", "BuildRegion", "SourceAMI", "SourceAMICreationDate",
	"SourceAMIOwner", "SourceAMIOwnerName",
}

// Differs returns why an artifact that the gate passed through is not this image, or "": it is
// another one, has another fingerprint, or is of another run. Of an artifact that another
// post-processor has made since, nobody can tell.
func (a *Existing) Differs(passed packersdk.Artifact) string {
	image, _ := passed.State(StateImage).(string)
	fingerprint, _ := passed.State(StateFingerprint).(string)
	is := fmt.Sprintf("image %s, fingerprint %.12s, %s", image, fingerprint, passed.Id())
	own := fmt.Sprintf("image %s, fingerprint %.12s, %s", a.image, a.fingerprint, a.Id())
	if is == own || image == "" && fingerprint == "" {
		return ""
	}
	return fmt.Sprintf("the artifact is that of another record: %s, and not %s",
		text.OneLine(is), text.OneLine(own))
}

// Destroy does nothing: the image does not belong to this build.
func (a *Existing) Destroy() error { return nil }
