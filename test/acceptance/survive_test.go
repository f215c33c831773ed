// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAccSurvive has the registry refuse, fail or hang at the last step. By default the AMI is kept, the
// message says how to finish, and finishing builds nothing.
func TestAccSurvive(t *testing.T) {
	t.Parallel()
	answer := func(status int, code string) func(*testing.T, *lab) string {
		return func(t *testing.T, _ *lab) string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>for the test</Message></Error>", code)
			}))
			t.Cleanup(server.Close)
			return server.URL
		}
	}
	hang := func(t *testing.T, l *lab) string {
		endpoint, _ := stuck(t, l.aws.Endpoint, false, func(*http.Request) bool { return true })
		return endpoint
	}
	hangOnRef := func(t *testing.T, l *lab) string {
		endpoint, _ := stuck(t, l.aws.Endpoint, false, func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/refs/")
		})
		return endpoint
	}
	const notPublished = "The manifest is not published."
	for _, tt := range []struct {
		name, state, cause, again string
		endpoint                  func(*testing.T, *lab) string
	}{
		{"403", notPublished, "access denied", "built by an earlier run that could not publish it", answer(http.StatusForbidden, "AccessDenied")},
		{"500", notPublished, "InternalError", "built by an earlier run that could not publish it", answer(http.StatusInternalServerError, "InternalError")},
		{"hang", notPublished, "context deadline exceeded", "built by an earlier run that could not publish it", hang},
		{"hang on the refs", "The manifest is published (s3://", "context deadline exceeded", "unchanged: nothing is built", hangOnRef},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// No other post-processor guards the AMI.
			l := failureLab(t, strings.Replace(breakable(t, ""), `post-processor "manifest" {}`, "", 1))
			healthy := l.packer
			l.packer = l.packer.With("PKR_VAR_endpoint=" + tt.endpoint(t, l))
			broken := l.mustBuild("base")
			wantOutput(t, broken, "publish base: ", tt.cause, tt.state, "The image is kept: "+region+":ami-", "run the same packer build again")
			l.wantNothingBuilt(1, broken)

			l.packer = healthy
			finished := l.mustBuild("base")
			wantOutput(t, finished, tt.again, "ref latest -> ")
			l.wantNothingBuilt(1, finished)
			wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")
			if ref := l.ref("base", "latest"); l.manifests("base") != 1 || ref.Fingerprint == "" {
				t.Errorf("the registry holds %v", l.keys("base"))
			}
		})
	}
}
