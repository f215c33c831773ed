// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// LineKind is what a line is: a branch, a pull request and so on.
type LineKind string

// The kinds of lines.
const (
	LineBranch      LineKind = "branch"
	LinePullRequest LineKind = "pull-request"
	LineQueue       LineKind = "queue"
	LineTag         LineKind = "tag"
	// LineLocal is the line of every run of which nothing else is known.
	LineLocal LineKind = "local"
)

// Line is the branch, pull request, merge queue or tag that a run belongs to. The zero Line is
// local, and so is a branch without a name.
type Line struct {
	Kind LineKind `json:"kind"`
	// Name is that of the branch or tag, the number of the pull request, or the branch that the queue
	// merges into. It is empty for a local line. It may be anything that fits into a variable of the
	// environment.
	Name string `json:"name,omitzero"`
}

const (
	// maxLine is the longest name of a line's document that does not end with a hash.
	maxLine = 128
	// maxBeforeHash is how much of a longer name stays before the hash.
	maxBeforeHash = 100
	lineHash      = 16

	localDocument = "local"
	hexDigits     = "0123456789abcdef"
)

// documentPrefixes are what the documents of lines other than branches begin with.
var documentPrefixes = map[LineKind]string{
	LinePullRequest: "pr-", LineQueue: "queue-", LineTag: "tag-",
}

// Document returns the name of the line's document in the registry, such as "main", "pr-42",
// "queue-main", "tag-v1.2" or "local". Distinct lines have distinct names, also where upper and
// lower case are the same: a byte other than a lower-case letter, a digit, "-" and "." becomes "_"
// and two hex digits. A name that would be longer than 128 characters ends with "__" and a hash,
// which is the only place where "__" occurs.
func (l Line) Document() string {
	var name string
	switch prefix, isPrefixed := documentPrefixes[l.Kind]; {
	case isPrefixed:
		name = prefix + escape(l.Name, false)
	case l.isBranch():
		name = escape(l.Name, isReserved(l.Name))
	default:
		return localDocument
	}
	if len(name) <= maxLine {
		return name
	}
	cut := maxBeforeHash
	if i := strings.LastIndexByte(name[:cut], '_'); i > cut-len("_2f") {
		cut = i
	}
	return name[:cut] + "__" + text.SHA256(string(l.Kind) + "\x00" + l.Name)[:lineHash]
}

func (l Line) isBranch() bool { return l.Kind == LineBranch && l.Name != "" }

// isReserved reports whether a branch has a name that looks like the document of another line.
func isReserved(branch string) bool {
	for _, prefix := range documentPrefixes {
		if strings.HasPrefix(branch, prefix) {
			return true
		}
	}
	return branch == localDocument
}

// escape returns name in the characters that the name of a document may have. With first, it
// escapes the first byte in any case.
func escape(name string, first bool) string {
	var escaped strings.Builder
	for i := range len(name) {
		c := name[i]
		plain := 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' ||
			c == '.' && i > 0 && i < len(name)-1 && name[i-1] != '.'
		if !plain || first && i == 0 {
			escaped.WriteByte('_')
			escaped.WriteByte(hexDigits[c>>4])
			escaped.WriteByte(hexDigits[c&15])
			continue
		}
		escaped.WriteByte(c)
	}
	return escaped.String()
}

// String returns the line for messages, such as "branch main" or "pull request 42".
func (l Line) String() string {
	name := text.Clip(l.Name, maxLine)
	switch {
	case l.Kind == LinePullRequest:
		return "pull request " + name
	case l.Kind == LineQueue:
		return "merge queue " + name
	case l.Kind == LineTag:
		return "tag " + name
	case l.isBranch():
		return "branch " + name
	}
	return localDocument
}

// refPrefixes are what patterns for lines other than branches begin with.
var refPrefixes = map[LineKind]string{
	LinePullRequest: "refs/pull/", LineQueue: "refs/queue/", LineTag: "refs/tags/",
}

// On reports whether one of the patterns covers the line. A pattern is the name of a branch, in
// which "*" stands for any characters, also "/". "refs/tags/v*" covers tags, "refs/pull/*" pull
// requests and "refs/queue/*" merge queues. "*" alone covers all branches and nothing else. Nothing
// covers a local line.
func (l Line) On(patterns []string) bool {
	prefix, isPrefixed := refPrefixes[l.Kind]
	if !isPrefixed && !l.isBranch() {
		return false
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if !isPrefixed && strings.HasPrefix(pattern, "refs/") {
			return false
		}
		rest, ofKind := strings.CutPrefix(pattern, prefix)
		return ofKind && matchStars(rest, l.Name)
	})
}

// matchStars reports whether name is the pattern with something in the place of each "*".
func matchStars(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	name, matches := strings.CutPrefix(name, parts[0])
	if !matches {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		// The first place is the best one: it leaves most for the parts that follow.
		_, rest, found := strings.Cut(name, part)
		if !found {
			return false
		}
		name = rest
	}
	return strings.HasSuffix(name, parts[last])
}

// linePattern is what [Line.Document] makes, apart from lengths and dots.
var linePattern = regexp.MustCompile(`^(?:[a-z0-9.-]|_[0-9a-f][0-9a-f])*(?:__[0-9a-f]+)?$`)

// CheckLine checks the name of a line's document, as [Line.Document] returns it.
func CheckLine(name string) error {
	start, hash, hashed := strings.Cut(name, "__")
	switch {
	case name == "":
		return errors.New("is required")
	case len(name) > maxLine || hashed && len(hash) != lineHash:
		return fmt.Errorf("must have at most %d characters, or end with \"__\" and %d hex digits, "+
			"got %.80q", maxLine, lineHash, name)
	case !linePattern.MatchString(name) || start == "":
		return fmt.Errorf("must be lower-case letters, digits, \".\", \"-\", and \"_\" with two hex "+
			"digits, got %q", name)
	case strings.Contains(name, "..") || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "."):
		return fmt.Errorf("must not contain \"..\", or have a \".\" at either end, got %q", name)
	}
	return nil
}

// CheckBranchPattern checks one element of the option "branches". See [Line.On].
func CheckBranchPattern(s string) error {
	if strings.HasPrefix(s, "refs/heads/") {
		return fmt.Errorf("must name the branch without refs/heads/, got %.80q", s)
	}
	name := s
	for _, prefix := range refPrefixes {
		name = strings.TrimPrefix(name, prefix)
	}
	name = strings.ReplaceAll(name, "*", "x") // which no name of a branch has
	if strings.HasPrefix(name, "refs/") || CheckBranch(name) != nil {
		return fmt.Errorf("must be the name of a branch, such as main, a pattern such as release/*, "+
			"or one of other refs: refs/tags/*, refs/pull/* or refs/queue/*, got %.80q", s)
	}
	return nil
}
