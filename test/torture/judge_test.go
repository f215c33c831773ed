// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// documents returns what is in the registry at the end. It checks that each move of a pointer leads
// to its build.
func (w workload) documents(ctx context.Context, reg *registry.Registry) (
	map[string]document, error,
) {
	final := map[string]document{}
	fingerprints := map[string]bool{}
	for client := range w.Writers {
		for round := range w.Publishes {
			fingerprints[w.fingerprint(client, round)] = true
		}
	}
	for fingerprint := range maps.Keys(fingerprints) {
		stored, err := reg.Manifest(ctx, snowflake, fingerprint)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			final["build "+fingerprint] = document{}
		case err != nil:
			return nil, err
		default:
			m := stored.Manifest
			final["build "+fingerprint] = document{Seq: m.Chain.Seq, IDs: amisOf(m)}
		}
	}
	if w.Shared {
		return final, nil
	}
	for _, name := range allPointers {
		d, err := pointerDocument(ctx, reg, name)
		if err != nil {
			return nil, err
		}
		final[name.String()] = d
	}
	return final, nil
}

func pointerDocument(
	ctx context.Context, reg *registry.Registry, name registry.Name,
) (document, error) {
	p, err := reg.Pointer(ctx, snowflake, name)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return document{}, nil
	case err != nil:
		return document{}, err
	}
	d := document{Seq: p.Seq}
	for _, move := range slices.Backward(p.Moves) {
		if _, err := reg.Follow(ctx, p, move); err != nil {
			return d, err
		}
		d.IDs = append(d.IDs, amiOf(move.Target))
	}
	return d, nil
}

// judge compares what the writers saw with what the registry holds. The verdict counts even if a
// writer failed.
func (w workload) judge(ctx context.Context, open opener, ops []op, failure error) (
	verdict, error,
) {
	final, err := w.documents(ctx, open())
	if err != nil {
		return verdict{}, errors.Join(failure, err)
	}
	v := checkHistory(ops, final)
	if failure == nil && len(v.Faults) > 0 {
		failure = fmt.Errorf("%d faults, such as %s", len(v.Faults), v.Faults[0])
		if !w.Control {
			failure = fmt.Errorf("%w; all operations are in %s", failure, keepHistory(ops, final))
		}
	}
	if want := w.Writers * w.Publishes; failure == nil && countAcked(ops) < want {
		failure = fmt.Errorf("%d publishes were acknowledged, want %d", countAcked(ops), want)
	}
	return v, failure
}

// keepHistory writes the operations and the documents at the end to a file, and returns its name.
func keepHistory(ops []op, final map[string]document) string {
	file, err := os.CreateTemp("", "chain-torture-history-*.json")
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	all := map[string]any{"operations": ops, "documents": final}
	if err := json.NewEncoder(file).Encode(all); err != nil {
		return err.Error()
	}
	return file.Name()
}

// countAcked returns how many publishes were acknowledged.
func countAcked(ops []op) int {
	n := 0
	for _, o := range ops {
		if o.Outcome == acked && strings.HasPrefix(o.Doc, "build ") {
			n++
		}
	}
	return n
}

// add counts what a workload showed.
func (n *tally) add(w workload, v verdict) {
	n.count(w.Writers*w.Publishes, v.Lost, v.Duplicated)
}
