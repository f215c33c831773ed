// SPDX-License-Identifier: MPL-2.0

package access

import (
	"crypto/sha1"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
)

// isolate makes the AWS SDK independent of the environment of the tests.
func isolate(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if key, _, _ := strings.Cut(entry, "="); strings.HasPrefix(key, "AWS_") {
			t.Setenv(key, "")
			_ = os.Unsetenv(key)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("HOME", t.TempDir())
}

// fakeSTS responds to AssumeRole with keys that name the caller and the role, and keeps the
// requests.
type fakeSTS struct {
	mu       sync.Mutex
	requests []url.Values
	refuse   string
}

func startSTS(t *testing.T) *fakeSTS {
	t.Helper()
	isolate(t)
	s := &fakeSTS{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	return s
}

func (s *fakeSTS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = r.ParseForm()
	r.PostForm.Set("user-agent", r.UserAgent())
	s.requests = append(s.requests, r.PostForm)
	if s.refuse != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`, s.refuse)
		return
	}
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	caller, _, _ := strings.Cut(rest, "/")
	_, role, _ := strings.Cut(r.PostForm.Get("RoleArn"), "role/")
	fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>%s-as-%s</AccessKeyId>`+
		`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z`+
		`</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, caller, role)
}

// accessKey is the key that requests are signed with, and the region.
func accessKey(t *testing.T, cfg aws.Config, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return creds.AccessKeyID + " " + cfg.Region
}

func profiles(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := "[profile images]\nregion = eu-west-1\naws_access_key_id = IMAGES\naws_secret_access_key = s\n" +
		"[profile bucket]\naws_access_key_id = BUCKET\naws_secret_access_key = s\n"
	write(t, path, text)
	t.Setenv("AWS_CONFIG_FILE", path)
}

func role(name string) *AssumeRole {
	return &AssumeRole{RoleARN: "arn:aws:iam::123456789012:role/" + name}
}

func TestConfig_sessions_sources(t *testing.T) {
	tests := []struct {
		name string
		in   Config
		env  map[string]string
		want string
		// registry is that of the bucket; empty if it is the same as want.
		registry string
	}{
		{name: "environment", env: map[string]string{"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s",
			"AWS_REGION": "us-east-1"}, want: "ENV us-east-1"},
		{name: "keys win over the environment", in: Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-2"},
			env:  map[string]string{"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1"},
			want: "KEY eu-west-2"},
		{name: "profile and its region", in: Config{Profile: "images"}, want: "IMAGES eu-west-1"},
		{name: "profile by environment", env: map[string]string{"AWS_PROFILE": "images"}, want: "IMAGES eu-west-1"},
		{name: "a role without an ARN", in: Config{Profile: "images", AssumeRole: &AssumeRole{SessionName: "ci"}},
			want: "IMAGES eu-west-1"},
		{name: "role", in: Config{Profile: "images", AssumeRole: role("a")}, want: "IMAGES-as-a eu-west-1"},
		{name: "another region for the bucket", in: Config{Profile: "images",
			RegistryAccess: &RegistryAccess{Region: "us-west-2"}}, want: "IMAGES eu-west-1", registry: "IMAGES us-west-2"},
		{name: "the bucket keeps the role", in: Config{Profile: "images", AssumeRole: role("a"),
			RegistryAccess: &RegistryAccess{Endpoint: "https://s3.example.com"}}, want: "IMAGES-as-a eu-west-1"},
		{name: "another role for the bucket", in: Config{Profile: "images", AssumeRole: role("a"),
			RegistryAccess: &RegistryAccess{AssumeRole: role("b")}},
			want: "IMAGES-as-a eu-west-1", registry: "IMAGES-as-b eu-west-1"},
		{name: "the role in another region", in: Config{Profile: "images", AssumeRole: role("a"),
			RegistryAccess: &RegistryAccess{Region: "us-west-2"}},
			want: "IMAGES-as-a eu-west-1", registry: "IMAGES-as-a us-west-2"},
		{name: "another profile for the bucket", in: Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-2",
			AssumeRole: role("a"), RegistryAccess: &RegistryAccess{Profile: "images"}},
			want: "KEY-as-a eu-west-2", registry: "IMAGES eu-west-1"},
		{name: "the region of the bucket's profile before that of the environment",
			in:  Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-2", RegistryAccess: &RegistryAccess{Profile: "images"}},
			env: map[string]string{"AWS_REGION": "us-east-1"}, want: "KEY eu-west-2", registry: "IMAGES eu-west-1"},
		{name: "a profile without a region", in: Config{Profile: "images", Region: "eu-west-2",
			RegistryAccess: &RegistryAccess{Profile: "bucket"}}, want: "IMAGES eu-west-2", registry: "BUCKET eu-west-2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			startSTS(t)
			profiles(t)
			for key, value := range tt.env {
				t.Setenv(key, value)
			}
			if tt.registry == "" {
				tt.registry = tt.want
			}
			if errs := tt.in.Prepare(); len(errs) > 0 {
				t.Fatal(errs)
			}
			main, bucket := tt.in.sessions(t.Context())
			cfg, err := bucket()
			if got := accessKey(t, cfg, err); got != tt.registry {
				t.Errorf("bucket: got %s, want %s", got, tt.registry)
			}
			cfg, err = main()
			if got := accessKey(t, cfg, err); got != tt.want {
				t.Errorf("main: got %s, want %s", got, tt.want)
			}
		})
	}
}

// Two redirects that led to each other were followed 80,000 times in ten seconds.
func TestConfig_sessions_redirects(t *testing.T) {
	isolate(t)
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		status := map[bool]int{true: http.StatusTemporaryRedirect, false: http.StatusPermanentRedirect}
		http.Redirect(w, r, "/there-and-back", status[requests%2 == 0])
	}))
	t.Cleanup(server.Close)
	c := Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-1"}
	session, _ := c.sessions(t.Context())
	cfg, err := session()
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := cfg.HTTPClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if requests != 2 || response.StatusCode/100 != 3 {
		t.Errorf("%d requests, and then status %d, want 2 and a redirect", requests, response.StatusCode)
	}
}

func TestConfig_sessions_assumeRole(t *testing.T) {
	s := startSTS(t)
	c := Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-1", AssumeRole: &AssumeRole{
		RoleARN: roleARN, DurationSeconds: 3600, ExternalID: "acme", Policy: "{}", SessionName: "ci",
		PolicyARNs: []string{"arn:aws:iam::aws:policy/One", "arn:aws:iam::aws:policy/Two"},
		Tags:       map[string]string{"b": "2", "a": "1"}, TransitiveTagKeys: []string{"a"},
	}}
	cfg, err := session(t, &c)
	if got := accessKey(t, cfg, err); got != "KEY-as-images eu-west-1" {
		t.Errorf("got %s", got)
	}
	got := s.requests[0]
	if agent := got.Get("user-agent"); !strings.Contains(agent, "packer-plugin-chain") {
		t.Errorf("user agent %q does not name the plugin", agent)
	}
	got.Del("user-agent")
	want := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {roleARN}, "RoleSessionName": {"ci"},
		"DurationSeconds": {"3600"}, "ExternalId": {"acme"}, "Policy": {"{}"},
		"PolicyArns.member.1.arn": {"arn:aws:iam::aws:policy/One"},
		"PolicyArns.member.2.arn": {"arn:aws:iam::aws:policy/Two"},
		"Tags.member.1.Key":       {"a"}, "Tags.member.1.Value": {"1"},
		"Tags.member.2.Key": {"b"}, "Tags.member.2.Value": {"2"}, "TransitiveTagKeys.member.1": {"a"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestConfig_sessions_once: a connection keeps what it found, and the next one finds new
// credentials.
func TestConfig_sessions_once(t *testing.T) {
	s := startSTS(t)
	c := Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-1", AssumeRole: role("a")}
	s.refuse = "AccessDenied"
	main, bucket := c.sessions(t.Context())
	for _, load := range []func() (aws.Config, error){main, bucket, main} {
		if _, err := load(); err == nil {
			t.Fatal("a refused role is no error")
		}
	}
	if len(s.requests) != 1 {
		t.Errorf("it asked %d times, want once", len(s.requests))
	}
	s.refuse, s.requests = "", nil
	main, bucket = c.sessions(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, load := range []func() (aws.Config, error){main, bucket} {
				cfg, err := load()
				if err == nil {
					_, err = cfg.Credentials.Retrieve(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if len(s.requests) != 1 {
		t.Errorf("the role was assumed %d times, want once", len(s.requests))
	}
	other := c
	other.Region = "us-east-1"
	if cfg, err := session(t, &other); err != nil || cfg.Region != "us-east-1" {
		t.Errorf("a copy with another region: got %q, %v", cfg.Region, err)
	}
	if name := s.requests[0].Get("RoleSessionName"); name != "packer-plugin-chain" {
		t.Errorf("session name %q", name)
	}
}

func session(t *testing.T, c *Config) (aws.Config, error) {
	t.Helper()
	main, _ := c.sessions(t.Context())
	return main()
}

func TestConfig_sessions_retries(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   int
		env  string
		want int
	}{
		{name: "default", want: 11},
		{name: "option", in: 4, env: "7", want: 5},
		{name: "environment", env: "7", want: 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			isolate(t)
			t.Setenv("AWS_MAX_ATTEMPTS", tt.env)
			c := Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-1", MaxRetries: tt.in}
			cfg, err := session(t, &c)
			if err != nil || cfg.RetryMaxAttempts != tt.want {
				t.Errorf("got %d attempts, %v; want %d", cfg.RetryMaxAttempts, err, tt.want)
			}
		})
	}
}

func TestConfig_sessions_errors(t *testing.T) {
	keys := Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-1",
		AssumeRole: &AssumeRole{RoleARN: roleARN}}
	tests := []struct {
		name   string
		in     Config
		refuse string
		want   []string
	}{
		{name: "no region", in: Config{AccessKey: "KEY", SecretKey: "0123456789"},
			want: []string{"region is required: set region, AWS_REGION or a profile with one"}},
		{name: "no credentials", in: Config{Region: "eu-west-1"},
			want: []string{"get AWS credentials: ", "\n\nNo AWS credentials were found in the template,"}},
		{name: "no such profile", in: Config{Profile: "imags"},
			want: []string{"load the AWS configuration: ", "\n\nThe profile \"imags\" does not exist."}},
		{name: "role denied", in: keys, refuse: "AccessDenied",
			want: []string{"assume role " + roleARN + ": ", "\n\nThe role does not exist, or does not trust"}},
		{name: "expired", in: keys, refuse: "ExpiredToken", want: []string{"\n\nThe credentials have expired"}},
		{name: "bad key", in: keys, refuse: "InvalidClientTokenId",
			want: []string{"\n\nAWS does not know these credentials."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startSTS(t)
			profiles(t)
			s.refuse = tt.refuse
			_, err := session(t, &tt.in)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %q in it", err, want)
				}
			}
		})
	}
}

func TestConfig_sessions_sso(t *testing.T) {
	const config = "[profile sso]\nregion = eu-west-1\nsso_session = acme\nsso_account_id = 123456789012\n" +
		"sso_role_name = images\n[sso-session acme]\nsso_region = eu-west-1\n" +
		"sso_start_url = https://acme.example.com\n"
	for _, tt := range []struct{ name, token string }{
		{name: "never logged in"},
		{name: "expired", token: `{"accessToken": "x", "expiresAt": "2020-01-01T00:00:00Z"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			isolate(t)
			path := filepath.Join(t.TempDir(), "config")
			write(t, path, config)
			t.Setenv("AWS_CONFIG_FILE", path)
			if tt.token != "" {
				// The file is named for the SHA-1 of the session's name.
				name := fmt.Sprintf("%x.json", sha1.Sum([]byte("acme")))
				write(t, filepath.Join(os.Getenv("HOME"), ".aws/sso/cache", name), tt.token)
			}
			c := Config{Profile: "sso"}
			if _, err := session(t, &c); err == nil || !strings.Contains(err.Error(), "Run aws sso login") {
				t.Errorf("got %v, want how to log in", err)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConfig_sessions_bundle(t *testing.T) {
	isolate(t)
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	path := filepath.Join(t.TempDir(), "ca.pem")
	write(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	t.Setenv("AWS_CA_BUNDLE", path)
	c := Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-1"}
	cfg, err := session(t, &c)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	resp, err := cfg.HTTPClient.Do(req)
	if err != nil {
		t.Fatalf("AWS_CA_BUNDLE is not used: %v", err)
	}
	resp.Body.Close()
	client, ok := cfg.HTTPClient.(*http.Client)
	if !ok || client.Transport.(*http.Transport).ResponseHeaderTimeout != headerTimeout {
		t.Errorf("%T waits without a limit for an answer", cfg.HTTPClient)
	}
}
