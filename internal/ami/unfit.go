// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Flaw is why nothing may be built on an image that is available. The zero Flaw means that there is
// no reason.
type Flaw struct {
	// Text is the reason in a few words, such as "is revoked: leaked".
	Text string
	// Option is the option that accepts the image all the same.
	Option string
}

// Judge returns the flaw of an available image. Whoever builds an image and whoever builds on it
// judge alike: what the one refuses, the other builds again.
func Judge(img Image, now time.Time, allowDeprecated, allowRevoked bool) Flaw {
	if reason, revoked := RevokedReason(img); revoked && !allowRevoked {
		return Flaw{"is revoked" + text.Because(reason), "allow_revoked"}
	}
	if img.Deprecated(now) && !allowDeprecated {
		since := img.DeprecatedAt.UTC().Format(time.RFC3339)
		return Flaw{"has been deprecated since " + since, "allow_deprecated"}
	}
	return Flaw{}
}

// Disabled reports whether its owner has disabled the image: nobody can start it.
func (i Image) Disabled() bool { return i.State == string(types.ImageStateDisabled) }
