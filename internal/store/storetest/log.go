// SPDX-License-Identifier: MPL-2.0

package storetest

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// oddFileNames reports whether a file may have any name. Windows forbids some.
const oddFileNames = runtime.GOOS != "windows"

// log is a document as the registry keeps them: a list with a gapless count of its writes.
type log struct {
	Seq     int     `json:"seq"`
	Entries []entry `json:"entries"`
}

type entry struct {
	Seq int    `json:"seq"`
	ID  string `json:"id"`
}

// Append is an edit for [store.Updater] that adds an entry with that id to a document, once.
func Append(id string) func(current []byte) ([]byte, error) {
	return func(current []byte) ([]byte, error) {
		var l log
		if current != nil {
			if err := json.Unmarshal(current, &l); err != nil {
				return nil, fmt.Errorf("damaged document: %w", err)
			}
		}
		if slices.ContainsFunc(l.Entries, func(e entry) bool { return e.ID == id }) {
			return nil, store.ErrUnchanged
		}
		l.Seq++
		l.Entries = append(l.Entries, entry{Seq: l.Seq, ID: id})
		return json.Marshal(l)
	}
}

// CheckLog returns what is wrong with a document after the ids were appended: a lost, repeated or
// unknown entry, or a gap in the count. It returns nil for a good one.
func CheckLog(body []byte, ids []string) error {
	var l log
	if err := json.Unmarshal(body, &l); err != nil {
		return fmt.Errorf("damaged document: %w", err)
	}
	if l.Seq != len(l.Entries) {
		return fmt.Errorf("seq is %d with %d entries", l.Seq, len(l.Entries))
	}
	count := map[string]int{}
	for i, e := range l.Entries {
		if e.Seq != i+1 {
			return fmt.Errorf("entry %d has seq %d", i+1, e.Seq)
		}
		count[e.ID]++
	}
	for _, id := range ids {
		if count[id] != 1 {
			return fmt.Errorf("entry %s was found %d times, want 1", id, count[id])
		}
	}
	if len(count) != len(ids) {
		return fmt.Errorf("%d different entries, want %d", len(count), len(ids))
	}
	return nil
}
