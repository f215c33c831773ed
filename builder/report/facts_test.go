// SPDX-License-Identifier: MPL-2.0

package report

import "testing"

func TestProgress(t *testing.T) {
	amis := map[string][]string{"us-east-1": nil, "eu-west-1": nil}
	paths := map[string]string{"web": "web", "base": "base"}
	for want, got := range map[string]string{
		"looking up AMIs in eu-west-1, us-east-1":                         progress(amis, nil),
		"looking up files of base, web":                                   progress(nil, paths),
		"looking up AMIs in eu-west-1, us-east-1, and files of base, web": progress(amis, paths),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
