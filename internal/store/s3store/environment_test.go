// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// A store that the environment names is as foreign as one in the options.
func TestNew_endpointOfEnvironment(t *testing.T) {
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		t.Run(variable, func(t *testing.T) {
			requests, server := serve(t, fakeS3(t).ServeHTTP)
			s := in(loadConfig(t, variable+"="+server, "AWS_REGION="), Options{})
			if _, err := s.Put(t.Context(), key, []byte("{}"), ""); err != nil {
				t.Fatal(err)
			}
			if got := len(requests.all()); got != selfTestRequests+1 {
				t.Errorf("%d requests, want the self-test and the write", got)
			}
		})
	}
}

func TestNew_endpointOfProfile(t *testing.T) {
	requests, server := serve(t, fakeS3(t).ServeHTTP)
	file := filepath.Join(t.TempDir(), "config")
	text := "[default]\nservices = local\n[services local]\ns3 =\n  endpoint_url = " + server + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := in(loadConfig(t, "AWS_CONFIG_FILE="+file), Options{})
	if _, err := s.Put(t.Context(), key, []byte("{}"), ""); err != nil {
		t.Fatal(err)
	}
	if got := len(requests.all()); got != selfTestRequests+1 {
		t.Errorf("%d requests, want the self-test and the write", got)
	}
}

// Amazon gets a checksum, which Object Lock needs; many other stores do not know them.
func TestNew_checksums(t *testing.T) {
	requests, server := serve(t, accept)
	if _, err := amazon(t, server, Options{}).Put(t.Context(), key, []byte("{}"), ""); err != nil {
		t.Fatal(err)
	}
	if got := requests.all()[0].header.Get("X-Amz-Checksum-Crc32"); got == "" {
		t.Error("Amazon gets no checksum")
	}

	requests, server = serve(t, fakeS3(t).ServeHTTP)
	s := foreign(t, server, Options{})
	if _, err := s.Put(t.Context(), key, []byte("{}"), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	for _, got := range requests.all() {
		for name := range got.header {
			if strings.Contains(name, "Checksum") || name == "X-Amz-Trailer" {
				t.Errorf("%s %s has the header %s", got.method, got.path, name)
			}
		}
	}
}

func TestNew_caBundle(t *testing.T) {
	requests := &recorder{}
	server := httptest.NewTLSServer(requests.record(t, fakeS3(t)))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	s := in(loadConfig(t, "AWS_CA_BUNDLE="+file), Options{Endpoint: server.URL})
	if _, err := s.Put(t.Context(), key, []byte(`{"seq":1}`), ""); err != nil {
		t.Fatal(err)
	}
	// A body in chunks with a trailer would be stored as it comes by simple stores.
	if all := requests.all(); all[len(all)-1].body != `{"seq":1}` {
		t.Errorf("body %q", all[len(all)-1].body)
	}
	_, err := foreign(t, server.URL, Options{}).Get(t.Context(), key)
	wantErr(t, err, errUnsent)
}

func TestStore_noCredentials(t *testing.T) {
	requests, server := serve(t, accept)
	cfg := loadConfig(t)
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, &smithy.OperationError{
			ServiceID: "STS", OperationName: "AssumeRole",
			Err: &smithy.GenericAPIError{Code: "AccessDenied", Message: "not allowed to assume"},
		}
	})
	s := in(cfg, Options{Endpoint: server, ConditionalWrites: Off})
	_, err := s.Get(t.Context(), key)
	wantErr(t, err, errCredentials)
	_, err = s.Put(t.Context(), key, []byte("{}"), "")
	wantErr(t, err, errCredentials)
	if got := len(requests.all()); got != 0 {
		t.Errorf("%d requests, want none", got)
	}
}

func TestStore_errorsHoldNoSecrets(t *testing.T) {
	_, server := serve(t, hangUp)
	cfg := loadConfig(t,
		"AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=s3cr3t", "AWS_SESSION_TOKEN=t0k3n")
	endpoint := strings.Replace(server, "//", "//user:passw0rd@", 1)
	s := in(cfg, Options{Endpoint: endpoint, ConditionalWrites: Off})
	_, errGet := s.Get(t.Context(), key)
	_, errPut := s.putOnce(t.Context(), create, key, []byte(`{"label":"inputvalue"}`), "")
	wantErr(t, errGet, store.ErrTransient)
	wantErr(t, errPut, store.ErrUnknown)
	secrets := []string{"AKIAEXAMPLE", "s3cr3t", "t0k3n", "passw0rd", "inputvalue", "Signature"}
	for _, err := range []error{errGet, errPut} {
		for _, secret := range secrets {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds %q: %v", secret, err)
			}
		}
	}
}
