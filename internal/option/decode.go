// SPDX-License-Identifier: MPL-2.0

package option

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/template/config"
	"github.com/mitchellh/mapstructure"
)

// unknownDuration stands for a duration that Packer does not know yet, and invalidDuration for a
// text that is not a duration, which [Checker.Duration] reports together with all other errors.
const (
	unknownDuration = time.Duration(math.MinInt64)
	invalidDuration = unknownDuration + 1
)

// Decode reads the options of a component as they are: nothing in them is a template itself.
func Decode(target any, raws ...any) error {
	err := config.Decode(target, &config.DecodeOpts{
		DecodeHooks: append(
			[]mapstructure.DecodeHookFunc{decodeDuration}, config.DefaultDecodeHookFuncs...),
	}, raws...)
	if err != nil {
		return fmt.Errorf("decode options: %w", err)
	}
	return nil
}

// decodeDuration accepts durations that are not known yet or invalid. Without it, "packer validate"
// would refuse one that comes from a data source, and an invalid one would hide all other errors.
func decodeDuration(_, to reflect.Type, value any) (any, error) {
	text, isText := value.(string)
	if !isText || to != reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	if text == Unknown {
		return unknownDuration, nil
	}
	if duration, err := time.ParseDuration(text); err == nil {
		return duration, nil
	}
	return invalidDuration, nil
}
