// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// bucketPattern, minBucket and maxBucket follow "Bucket naming rules" of the Amazon S3 user guide.
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`)

const minBucket, maxBucket = 3, 63

// oneSlash matches a URL that lacks a slash. A single letter is a drive of Windows.
var oneSlash = regexp.MustCompile(`^[a-z0-9]{2,}:/`)

// maxPrefix keeps the longest key, prefix/image/builds/fingerprint.json, within the 1,024 bytes
// that S3 allows.
const maxPrefix = 512

// Variable is the environment variable that names the registry if a template does not.
const Variable = "CHAIN_REGISTRY"

// Location is the place of a registry: a bucket or a folder.
type Location struct {
	// Bucket and Prefix are set for s3://bucket/prefix. Prefix has no slash at either end.
	Bucket, Prefix string
	// Dir is set for a local folder, as an absolute path.
	Dir string
}

// S3 reports whether the registry is in a bucket.
func (l Location) S3() bool { return l.Bucket != "" }

// String returns the location as a user would write it.
func (l Location) String() string {
	switch {
	case !l.S3():
		return l.Dir
	case l.Prefix == "":
		return "s3://" + l.Bucket
	}
	return "s3://" + l.Bucket + "/" + l.Prefix
}

// ParseLocation reads the registry option: "s3://bucket/prefix", "file:///folder", or the path of a
// folder, which shows that it is one: it is absolute, begins with "./", "../" or "~/", or goes up
// by "..", as "${path.root}/../registry" does. A bucket whose scheme was forgotten is not taken for
// a folder.
func ParseLocation(s string) (Location, error) {
	scheme, rest, isURL := strings.Cut(s, "://")
	switch {
	case s == "":
		return Location{}, errors.New("is required")
	case strings.ContainsFunc(s, unicode.IsControl):
		return Location{}, fmt.Errorf("must not hold control characters, got %q", shown(s))
	case strings.HasPrefix(s, "arn:"):
		return Location{}, fmt.Errorf(
			"must be a URL such as s3://bucket/prefix, not an ARN, got %q", shown(s))
	case !isURL && oneSlash.MatchString(s):
		return Location{}, fmt.Errorf(
			"must have two slashes after the colon, as in s3://bucket/prefix, got %q", shown(s))
	case !isURL && !isFolder(s):
		return Location{}, fmt.Errorf("must be s3://%s for a bucket, or ./%s for a folder, got %q",
			shown(s), shown(s), shown(s))
	case !isURL:
		return parseDir(s)
	case scheme == "file":
		return parseFileURL(s)
	case scheme == "s3":
		return parseS3(s, rest)
	}
	return Location{}, fmt.Errorf(
		"must be s3://bucket/prefix, file:///folder or a path, got %q", shown(s))
}

// shown returns what an error may show of a URL: not the user, the password and the query, because
// some write credentials there.
func shown(s string) string {
	at := strings.Index(s, ":/")
	if at < 0 {
		return s
	}
	rest := strings.TrimLeft(s[at+1:], "/")
	scheme := strings.TrimSuffix(s, rest)
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		rest = "…" + rest[i:]
	}
	if i := strings.Index(rest, "?"); i >= 0 {
		rest = rest[:i] + "?…"
	}
	return scheme + rest
}

// CheckLocation is the rule of the registry option.
func CheckLocation(s string) error {
	_, err := ParseLocation(s)
	return err
}

// isFolder reports whether a path shows that it is one of a folder.
func isFolder(s string) bool {
	slashed := filepath.ToSlash(s)
	first, _, _ := strings.Cut(slashed, "/")
	// On Windows, a path that begins so is on the current drive.
	return filepath.IsAbs(s) || strings.HasPrefix(slashed, "/") ||
		slices.Contains([]string{".", "..", "~"}, first) ||
		slices.Contains(strings.Split(slashed, "/"), "..")
}

func parseDir(s string) (Location, error) {
	if rest, isHome := strings.CutPrefix(filepath.ToSlash(s), "~"); isHome {
		home, err := os.UserHomeDir()
		if err != nil {
			return Location{}, fmt.Errorf("begins with ~, and the home folder is not known: %w", err)
		}
		s = filepath.Join(home, filepath.FromSlash(rest))
	}
	dir, err := filepath.Abs(s)
	if err != nil {
		return Location{}, fmt.Errorf("must be a path, got %q: %w", shown(s), err)
	}
	return Location{Dir: dir}, nil
}

func parseFileURL(s string) (Location, error) {
	u, err := url.Parse(s)
	local := err == nil && (u.Host == "" || u.Host == "localhost")
	if !local || u.RawQuery != "" || u.Fragment != "" {
		return Location{}, fmt.Errorf(
			"must be a URL with three slashes such as file:///folder, got %q", shown(s))
	}
	path := u.Path
	// file:///C:/folder is C:/folder on Windows.
	if len(path) > 2 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	if strings.ContainsFunc(path, unicode.IsControl) {
		return Location{}, fmt.Errorf("must not hold control characters, got %q", shown(s))
	}
	if path == "" || path == "/" {
		return Location{}, fmt.Errorf("must name a folder, got %q", shown(s))
	}
	return parseDir(filepath.FromSlash(path))
}

func parseS3(s, rest string) (Location, error) {
	bucket, prefix, _ := strings.Cut(rest, "/")
	prefix = strings.TrimSuffix(prefix, "/")
	if !isBucket(bucket) {
		return Location{}, fmt.Errorf("must name a bucket of %d to %d lower-case letters, digits, "+
			"\".\" and \"-\", got %q", minBucket, maxBucket, shown(s))
	}
	if len(prefix) > maxPrefix {
		return Location{}, fmt.Errorf(
			"must have a prefix of at most %d bytes, got %d", maxPrefix, len(prefix))
	}
	if strings.ContainsAny(prefix, "?#\\") {
		return Location{}, fmt.Errorf("must not hold \"?\", \"#\" or \"\\\", got %q", shown(s))
	}
	if prefix == "" {
		return Location{Bucket: bucket}, nil
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." {
			return Location{}, fmt.Errorf(
				"must not hold \"//\", \".\" or \"..\" in its prefix, got %q", shown(s))
		}
	}
	return Location{Bucket: bucket, Prefix: prefix}, nil
}

func isBucket(name string) bool {
	return len(name) >= minBucket && len(name) <= maxBucket && bucketPattern.MatchString(name) &&
		!strings.Contains(name, "..")
}
