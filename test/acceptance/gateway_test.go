// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAccGateway has something between Packer and S3 that answers by itself. That nothing exists is
// not what it says: no image is built for the first time, again or on another parent.
func TestAccGateway(t *testing.T) {
	t.Parallel()
	l := newLab(t, template(t, "ami"))
	l.write("app/app.pkr.hcl", template(t, "child"))
	l.commit("add the child")
	well := l.packer
	for _, built := range []int{0, 1} {
		for _, answer := range []struct {
			status      int
			kind, body  string
			wantInError string
		}{
			{http.StatusNotFound, "text/plain", "no route to acme-images", "no route to acme-images"},
			{http.StatusNotFound, "text/html", "<html>Not found</html>", "<html>Not found</html>"},
			{http.StatusOK, "text/html", "<html>Sign in</html>", "<html>Sign in</html>"},
		} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", answer.kind)
				w.WriteHeader(answer.status)
				fmt.Fprint(w, answer.body)
			}))
			l.packer = well.With("AWS_ENDPOINT_URL_S3=" + server.URL)
			for _, folder := range []string{"base", "app"} {
				result := wantCode(t, 1, l.build(folder))
				wantOutput(t, result, "not an S3 answer", answer.wantInError)
				l.wantImages(built, result)
			}
			server.Close()
		}
		l.packer = well
		result := l.mustBuild("base")
		l.wantImages(1, result)
	}
}
