// SPDX-License-Identifier: MPL-2.0

package parametertest

import (
	"net/http"
	"strings"
	"testing"
)

// TestServer_foreign refuses what is not a request of SSM, with a status that no client retries.
func TestServer_foreign(t *testing.T) {
	s := Start(t)
	const signature = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260501/eu-west-1/ssm/aws4_request, Signature=0"
	for _, tt := range []struct {
		target, signature, body string
		want                    int
	}{
		{"AmazonSSM.GetParameter", signature, `{"Name": "x"}`, http.StatusBadRequest},
		{"AmazonSSM.PutParameter", signature, `{"Name": "x", "Type": "String", "Value": "y"}`, http.StatusOK},
		{"AmazonSSM.GetParameter", signature, `{"Name": "x"}`, http.StatusOK},
		{"AmazonSSM.DeleteParameter", signature, `{"Name": "x"}`, http.StatusBadRequest},
		{"AmazonSSM.GetParameter", "", `{"Name": "x"}`, http.StatusTeapot},
		{"DynamoDB.GetItem", signature, `{"Name": "x"}`, http.StatusTeapot},
		{"AmazonSSM.GetParameter", signature, `Name=x`, http.StatusTeapot},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", tt.target)
		req.Header.Set("Authorization", tt.signature)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.want {
			t.Errorf("%s %s: status %d, want %d", tt.target, tt.body, res.StatusCode, tt.want)
		}
	}
}
