// SPDX-License-Identifier: MPL-2.0

package option

import (
	"reflect"
	"testing"
	"time"
)

func TestDecodeDuration(t *testing.T) {
	duration, text := reflect.TypeFor[time.Duration](), reflect.TypeFor[string]()
	for _, tt := range []struct {
		to       reflect.Type
		in, want any
	}{
		{duration, Unknown, unknownDuration}, {duration, "5m", 5 * time.Minute},
		{duration, "1 day", invalidDuration}, {text, Unknown, Unknown}, {duration, 7, 7},
	} {
		if got, err := decodeDuration(nil, tt.to, tt.in); got != tt.want || err != nil {
			t.Errorf("got %v, %v, want %v", got, err, tt.want)
		}
	}
}
