// SPDX-License-Identifier: MPL-2.0

package registry

import "strings"

// fuller returns the origin of a run, or that of the channel if both name the same folder and the
// run does not know its repository. Otherwise any other repository could come next.
func fuller(current, now string) string {
	repository, _ := cutOrigin(now)
	if repository == "" && current != "" && sameOrigin(current, now) {
		return current
	}
	return now
}

// foreign reports whether a channel was moved from another origin than the one that wants to move
// it now, and may not be taken over from it.
func foreign(current, now, takeOver string) bool {
	return !sameOrigin(current, now) && (takeOver == "" || takeOver != current)
}

// sameOrigin reports whether two origins may be the same: "repository//folder", of which the
// repository may not be known.
func sameOrigin(a, b string) bool {
	if a == "" || b == "" {
		return true
	}
	repoA, pathA := cutOrigin(a)
	repoB, pathB := cutOrigin(b)
	return pathA == pathB && (repoA == "" || repoB == "" || repoA == repoB)
}

func cutOrigin(origin string) (repository, folder string) {
	i := strings.LastIndex(origin, "//")
	if i < 0 {
		return "", origin
	}
	return origin[:i], origin[i+2:]
}
