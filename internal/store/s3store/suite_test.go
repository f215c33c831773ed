// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

func TestStore_gofakes3(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		server := httptest.NewServer(fakeS3(t))
		t.Cleanup(server.Close)
		return foreign(t, server.URL, Options{})
	})
}

// TestStore_versitygw runs on a real server with real files.
func TestStore_versitygw(t *testing.T) {
	url := startVersitygw(t)
	var opened int
	storetest.Run(t, func(t *testing.T) store.Store {
		opened++
		return foreign(t, url, Options{Prefix: fmt.Sprintf("suite/%d", opened)})
	})
}

// startVersitygw returns the URL of a server with the one bucket of the tests.
func startVersitygw(t *testing.T) string {
	t.Helper()
	gateway, err := s3server.Versitygw(t.Context(), t.TempDir(), bucket)
	optional := os.Getenv("CI") == "" && os.Getenv("CHAIN_REQUIRE_TOOLS") == ""
	if errors.Is(err, s3server.ErrNoVersitygw) && optional {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if output := gateway.Stop(); t.Failed() {
			t.Logf("versitygw: %s", output)
		}
	})
	return gateway.URL
}
