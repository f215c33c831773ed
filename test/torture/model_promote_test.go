// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"fmt"

	"github.com/packer-chain/packer-plugin-chain/builder/existing"
	"github.com/packer-chain/packer-plugin-chain/datasource/parent"
)

// promotion moves a channel to where a channel is, or was.
type promotion struct {
	image, from, to string
	// back is how many images before the newest.
	back  int
	allow bool
	place place
}

func (p promotion) String() string {
	text := fmt.Sprintf("%s: %s of %s to %s", p.place, p.from, p.image, p.to)
	if p.back > 0 {
		text += fmt.Sprintf(", previous = %d", p.back)
	}
	if p.allow {
		text += ", allow_rollback"
	}
	return text
}

// startPromotion finds the image of a promotion, and returns what moves the channel. It returns nil
// if there is no such image.
func (h *history) startPromotion(p promotion) (finish func(broken string)) {
	h.runs++
	id := fmt.Sprintf("run-%d", h.runs)
	h.enter(p.place, id)
	o := options{"kind": "artifact", "image": p.image, "registry": h.registry, "channel": p.from, "previous": p.back}
	value, err := execute(&parent.Datasource{}, o)
	want := h.source(p)
	if want == nil {
		why := "does not exist"
		if len(h.model.visits(channelKey(p.image, p.from))) > 0 {
			why = "has no previous image"
		}
		h.wantError(err, why)
		return nil
	}
	if err != nil {
		h.fail("data \"chain\": %v", err)
	}
	if got := value.GetAttr("id").AsString(); got != want.bake.id {
		h.fail("it finds %s, and the model has %s", got, want.bake.id)
	}
	read := 0
	if p.back > 0 && p.from == p.to {
		read = h.model.pointers[channelKey(p.image, p.from)].writes
	}
	record, v := value.GetAttr("record").AsString(), *want
	return func(broken string) { h.promote(p, id, record, v, read, broken) }
}

// source returns what a promotion finds, nil if there is no such image.
func (h *history) source(p promotion) *visit {
	from := h.model.pointers[channelKey(p.image, p.from)]
	switch {
	case from == nil:
		return nil
	case p.back == 0:
		return &from.visits[0]
	}
	if all := from.forwards(); p.back < len(all) {
		return &all[p.back]
	}
	return nil
}

// promote moves the channel.
func (h *history) promote(p promotion, id, record string, v visit, read int, broken string) {
	h.enter(p.place, id)
	gate := &existing.Builder{}
	if _, _, err := gate.Prepare(options{"record": record}); err != nil {
		h.fail("%v", err)
	}
	artifact, err := gate.Run(h.t.Context(), &screen{}, nil)
	if err != nil || artifact == nil || artifact.Id() != v.bake.id {
		h.fail("source \"chain\": %v, %v", artifact, err)
	}
	before := h.documents()
	ui, _, err := h.publish(artifact, options{
		"record": record, "channels": []string{p.to}, "allow_rollback": p.allow,
		"packer_build_name": "image", "packer_builder_type": "chain",
	}, p.image, broken)
	key := channelKey(p.image, p.to)
	h.checkMoved(before, key, !unmerged(p.place.line), key)
	if broken != "" {
		h.wantError(err, "move channel "+p.to)
		return
	}
	var says outcome
	switch {
	case unmerged(p.place.line):
		says = notHere
	case unmerged(v.line):
		says = notLeft
	default:
		says = h.model.moveChannel(key, v, p.allow, read)
	}
	if says == moved || says == there {
		h.wantSaid(ui, err, says)
	} else {
		h.wantError(err, string(says))
	}
}
