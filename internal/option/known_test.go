// SPDX-License-Identifier: MPL-2.0

package option

import (
	"testing"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
)

// block and component are options of each kind that HCL has.
type block struct {
	Name  string            `mapstructure:"name"`
	Names []string          `mapstructure:"names"`
	Tags  map[string]string `mapstructure:"tags"`
	Inner *block            `mapstructure:"inner"`
}

type shared struct {
	Region string `mapstructure:"region"`
	Block  *block `mapstructure:"block"`
}

type component struct {
	common.PackerConfig `mapstructure:",squash"`
	shared              `mapstructure:",squash"` // Not exported, so not an option.
	Shared              `mapstructure:",squash"`
	Repeated            []block       `mapstructure:"repeated"`
	Age                 time.Duration `mapstructure:"age"`
	Force               bool          `mapstructure:"force"`
	Count               int           `mapstructure:"count"`
	hidden              string
}

// Shared is embedded as the options of AWS are.
type Shared shared

func TestKnown(t *testing.T) {
	good := component{hidden: Unknown, Count: 1, Shared: Shared{Region: "eu-west-1", Block: &block{}},
		PackerConfig: common.PackerConfig{PackerUserVars: map[string]string{"later": Unknown}}}
	if err := Known(&good, "region"); err != nil {
		t.Error(err)
	}
	of := func(b block) component { return component{Shared: Shared{Block: &b}} }
	for want, in := range map[string]component{
		"region":              {Shared: Shared{Region: "eu-<unknown>"}},
		"block.name":          of(block{Name: Unknown}),
		"block.names":         of(block{Names: []string{"x", "chain/<unknown>/z"}}),
		"block.tags":          of(block{Tags: map[string]string{"a": "b", "c": Unknown}}),
		"block.inner.tags":    of(block{Inner: &block{Tags: map[string]string{Unknown: "a"}}}),
		"repeated.inner.name": {Repeated: []block{{}, {Inner: &block{Name: Unknown}}}},
		"age":                 {Age: unknownDuration},
	} {
		err := Known(&in)
		if err == nil || err.Error() != want+` is "<unknown>": it refers to a value that is never set` {
			t.Errorf("%s: got %v", want, err)
		}
		if err := Known(in, want); err != nil {
			t.Errorf("%s is excepted: got %v", want, err)
		}
	}
}
