// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// assets is where GitHub sends those who download a file of a release.
const assets = "release-assets.githubusercontent.com"

// github is GitHub as far as packer init uses it, on the loopback device. Packer reaches it through
// a proxy, and takes its certificate for that of GitHub. On macOS it would not: Go reads the
// keychain there, and not SSL_CERT_FILE.
type github struct {
	// dir has a folder for each tag, such as packer-chain/packer-plugin-chain/v0.2.0, with the files
	// of the release. It is empty if the tag has no public release.
	dir string
	// environ is what packer needs to reach it.
	environ []string
}

// newGitHub starts a GitHub that has no repositories.
func newGitHub(t *testing.T) *github {
	t.Helper()
	dir := t.TempDir()
	g := &github{dir: filepath.Join(dir, "repositories")}
	certificate, key := certify(t, "api.github.com", "github.com", assets, "releases.hashicorp.com")
	root := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(
		&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{
		Certificate: [][]byte{certificate.Raw}, PrivateKey: key,
	}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(tunnel(t, server.Listener.Addr().String(), certificate))
	t.Cleanup(proxy.Close)
	g.environ = []string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + root}
	return g
}

// tag makes a tag of a repository, and returns the folder of its release.
func (g *github) tag(t *testing.T, repository, tag string) string {
	t.Helper()
	dir := filepath.Join(g.dir, filepath.FromSlash(repository), tag)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// serve answers for all hosts. HashiCorp's has no plugin: Packer asks there first.
func (g *github) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	repository, isTags := strings.CutSuffix(path, "/git/matching-refs/tags")
	file := strings.Replace(path, "/releases/download/", "/", 1)
	switch {
	case r.Host == "api.github.com" && isTags:
		g.serveTags(w, strings.TrimPrefix(repository, "repos/"))
	case r.Host == "github.com" && file != path && g.has(file):
		http.Redirect(w, r, "https://"+assets+"/"+file, http.StatusFound)
	case r.Host == assets:
		http.ServeFile(w, r, filepath.Join(g.dir, filepath.FromSlash(path)))
	default:
		http.NotFound(w, r)
	}
}

func (g *github) has(file string) bool {
	info, err := os.Stat(filepath.Join(g.dir, filepath.FromSlash(file)))
	return err == nil && info.Mode().IsRegular()
}

func (g *github) serveTags(w http.ResponseWriter, repository string) {
	type ref struct {
		Ref string `json:"ref"`
	}
	refs := []ref{}
	entries, _ := os.ReadDir(filepath.Join(g.dir, filepath.FromSlash(repository)))
	for _, entry := range entries {
		if entry.IsDir() {
			refs = append(refs, ref{"refs/tags/" + entry.Name()})
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(refs)
}

// tunnel is a proxy that connects all hosts of the certificate to one address, and no others.
func tunnel(t *testing.T, address string, certificate *x509.Certificate) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		if r.Method != http.MethodConnect || certificate.VerifyHostname(host) != nil {
			t.Errorf("packer asks %s %s", r.Method, r.Host)
			http.Error(w, "no such host", http.StatusBadGateway)
			return
		}
		server, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer server.Close()
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(server, buffered)
			server.Close()
		}()
		_, _ = io.Copy(client, server)
	}
}

// certify returns a certificate for some hosts, which is signed by itself.
func certify(t *testing.T, hosts ...string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}
