// SPDX-License-Identifier: MPL-2.0

package access

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// startInstance is the metadata service of an instance in eu-north-1 with a role.
func startInstance(t *testing.T) (asked *int) {
	t.Helper()
	isolate(t)
	asked = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/api/token"):
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
			fmt.Fprint(w, "token")
		case strings.Contains(path, "instance-identity"):
			fmt.Fprint(w, `{"region": "eu-north-1"}`)
		case strings.HasSuffix(path, "/security-credentials/"):
			fmt.Fprint(w, "images")
		case strings.HasSuffix(path, "/security-credentials/images"):
			fmt.Fprint(w, `{"Code": "Success", "AccessKeyId": "INSTANCE", "SecretAccessKey": "s", "Token": "t",`+
				` "Expiration": "2099-01-01T00:00:00Z"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.URL)
	return asked
}

// TestConfig_sessions_instance: no option, no variable and no file names a region.
func TestConfig_sessions_instance(t *testing.T) {
	asked := startInstance(t)
	conn := Open(t.Context(), &Config{}, "s3://acme-images", nil)
	if got := conn.Region(); got != "eu-north-1" {
		t.Errorf("with a bucket: the region is %q", got)
	}
	ec2, err := conn.EC2()
	if err != nil || ec2.Region != "eu-north-1" {
		t.Errorf("got %+v, %v", ec2, err)
	}
	*asked = 0
	if got := Open(t.Context(), &Config{}, t.TempDir(), nil).Region(); got != "" || *asked > 0 {
		t.Errorf("with a folder: got %q after %d requests, want none", got, *asked)
	}
	skip := Config{AccessKey: "KEY", SecretKey: "0123456789", SkipMetadataAPICheck: true}
	if _, err := session(t, &skip); err == nil || err.Error() != ErrNoRegion.Error() || *asked > 0 {
		t.Errorf("skipped: got %v after %d requests", err, *asked)
	}
	skip = Config{Region: "eu-west-1", SkipMetadataAPICheck: true}
	if _, err := session(t, &skip); err == nil || *asked > 0 {
		t.Errorf("skipped: got %v after %d requests, want no credentials", err, *asked)
	}
	if got := Open(t.Context(), &skip, t.TempDir(), nil).Region(); got != "eu-west-1" {
		t.Errorf("by option: got %q", got)
	}
}

func TestConfig_sessions_credentialsFile(t *testing.T) {
	isolate(t)
	path := filepath.Join(t.TempDir(), "ci")
	write(t, path, "[default]\nregion = eu-west-3\naws_access_key_id = FILE\naws_secret_access_key = s\n"+
		"[other]\naws_access_key_id = OTHER\naws_secret_access_key = s\n")
	c := Config{SharedCredentialsFile: path}
	cfg, err := session(t, &c)
	if got := accessKey(t, cfg, err); got != "FILE eu-west-3" {
		t.Errorf("got %s", got)
	}
	c.Profile, c.Region = "other", "eu-west-1"
	cfg, err = session(t, &c)
	if got := accessKey(t, cfg, err); got != "OTHER eu-west-1" {
		t.Errorf("got %s", got)
	}
	c.SharedCredentialsFile = path + ".gone"
	if _, err := session(t, &c); err == nil || !strings.HasPrefix(err.Error(), "read shared_credentials_file: ") {
		t.Errorf("got %v, want that there is no such file", err)
	}
}
