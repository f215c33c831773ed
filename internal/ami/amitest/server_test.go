// SPDX-License-Identifier: MPL-2.0

package amitest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// ask sends a request that is signed for a region, as far as the server looks, and returns the
// status.
func ask(t *testing.T, s *Server, region string, form url.Values) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260501/"+region+"/ec2/aws4_request, Signature=0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestServer_Close reports every way in which requests differ from the script: a test that uses it
// must not pass by chance.
func TestServer_Close(t *testing.T) {
	tag := url.Values{"Action": {"CreateTags"}, "ResourceId.1": {"ami-0a1b2c3d"}}
	for name, tt := range map[string]struct {
		steps map[string][]Step
		want  string
	}{
		"as written":      {map[string][]Step{"eu-west-1": {Tag("ami-0a1b2c3d")}}, ""},
		"anywhere":        {map[string][]Step{Anywhere: {Tag("ami-0a1b2c3d")}}, ""},
		"other parameter": {map[string][]Step{"eu-west-1": {Tag("ami-0b1b2c3d")}}, `request 1 has ResourceId.1="ami-0a1b2c3d", want "ami-0b1b2c3d"`},
		"one more":        {map[string][]Step{"eu-west-1": {Tag()}}, `request 1 has ResourceId.1="ami-0a1b2c3d", want ""`},
		"absent":          {map[string][]Step{"eu-west-1": {{Absent: []string{"ResourceId.1"}}}}, `request 1 has ResourceId.1="ami-0a1b2c3d"`},
		"not expected":    {nil, "eu-west-1: request 1 was not expected"},
		"other region":    {map[string][]Step{"us-east-1": {Tag("ami-0a1b2c3d")}}, "eu-west-1: request 1 was not expected"},
		"did not come":    {map[string][]Step{"eu-west-1": {Tag("ami-0a1b2c3d"), Describe()}}, "eu-west-1: 1 requests came, 2 were expected"},
	} {
		t.Run(name, func(t *testing.T) {
			s := Serve(tt.steps)
			status := ask(t, s, "eu-west-1", tag)
			if expected := !strings.Contains(tt.want, "not expected"); expected != (status == http.StatusOK) {
				t.Errorf("status %d", status)
			}
			if n := s.Seen("eu-west-1", "CreateTags"); n != 1 {
				t.Errorf("%d requests were seen", n)
			}
			err := s.Close()
			if (tt.want == "" && err != nil) || (tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want))) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}
