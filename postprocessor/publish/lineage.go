// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"fmt"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// sameParent compares the AMI that the image was built on with the parents that the fingerprint
// names. A template that resolves a parent and then builds on something else is wrong: the next
// build of the parent would not reach it.
func sameParent(rec record.Record, source packersdk.Artifact) error {
	built := artifact.SourceAMI(source.State("generated_data"))
	if built == "" {
		return nil
	}
	var wanted []string
	for _, parent := range rec.Parents {
		if parent.AMI == built {
			return nil
		}
		for _, id := range parent.AMIs {
			if id == built {
				return nil
			}
		}
		if parent.AMI != "" {
			wanted = append(wanted, fmt.Sprintf("%s (%s)", parent.AMI, parent.Image))
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return fmt.Errorf("it was built on %s, but its parent is %s\n\n"+
		"Set source_ami = data.chain.NAME.id, of the data source whose ref is in parents. "+
		"Nothing was tagged or published.", built, strings.Join(wanted, " or "))
}
