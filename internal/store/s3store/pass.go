// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/version"
)

const (
	testKey     = "conditional-write-test.json"
	testPurpose = "shows whether this store keeps the conditions of conditional writes"
	// testVersion is raised with every change of the self-test: a pass of an older test does not
	// count.
	testVersion = 1
)

// testDocument is the object that the self-test writes. The last write of an undisturbed test adds
// the pass, so that later processes need not test. It is untrusted: whoever can write to the bucket
// can forge a pass, but can destroy the whole registry as well.
type testDocument struct {
	Purpose string `json:"purpose"`
	// ID is random, so that no two versions have the same tag.
	ID       string    `json:"id"`
	Passed   *tested   `json:"passed,omitempty"`
	PassedAt time.Time `json:"passed_at,omitzero"`
}

// tested is what was tested, and by what. A pass counts only if all of it is the same, so it does
// not count in a copy of the bucket in another store, or for another version of the plugin.
type tested struct {
	// Endpoint is a host and its port; empty for the default of AWS.
	Endpoint string `json:"endpoint"`
	Bucket   string `json:"bucket"`
	Prefix   string `json:"prefix"`
	Plugin   string `json:"plugin"`
	Test     int    `json:"test"`
}

func (s *Store) tested() tested {
	// The URL may hold a password, so only its host is stored.
	host := ""
	if u, err := url.Parse(aws.ToString(s.client.Load().Options().BaseEndpoint)); err == nil {
		host = strings.ToLower(u.Host)
	}
	return tested{
		Endpoint: host, Bucket: s.options.Bucket, Prefix: s.options.Prefix,
		Plugin: version.String(), Test: testVersion,
	}
}

// hasPassed reports whether the bucket remembers a pass of this very store. A damaged or unrelated
// document counts as none. So does one that cannot be read, unless the fault may pass.
func (s *Store) hasPassed(ctx context.Context) (bool, error) {
	object, err := s.Get(ctx, testKey)
	if errors.Is(err, store.ErrTransient) || (err != nil && ctx.Err() != nil) {
		return false, s.undecided(err)
	}
	var document testDocument
	if err != nil || json.Unmarshal(object.Body, &document) != nil {
		return false, nil //nolint:nilerr // The test is repeated, and meets the same error.
	}
	return document.Passed != nil && *document.Passed == s.tested(), nil
}

// remember writes the pass in place of the version that tag names. After a failure, such as a lost
// race with another process, the next process only repeats the test.
func (s *Store) remember(ctx context.Context, tag string) {
	passed := s.tested()
	document := testDocument{Passed: &passed, PassedAt: time.Now().UTC().Truncate(time.Second)}
	_, _ = s.putOnce(ctx, swap, testKey, document.body(), tag)
}

// body fills in purpose and ID.
func (d testDocument) body() []byte {
	d.Purpose, d.ID = testPurpose, rand.Text()
	body, err := json.Marshal(d)
	if err != nil {
		panic(err) // None of its fields can fail.
	}
	return append(body, '\n')
}
