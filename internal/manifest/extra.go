// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Fields that this version does not know are kept through a rewrite: a newer plugin may have put
// them there. The methods below do that for what a rewrite carries over; git, parents and the like are
// what the last run says.

type (
	plainManifest Manifest
	plainEntry    Entry
	plainFile     File
	plainImage    Image
	plainChain    Chain
)

// UnmarshalJSON keeps unknown fields.
func (m *Manifest) UnmarshalJSON(data []byte) error {
	return DecodeKeeping(data, (*plainManifest)(m), &m.extra)
}

// MarshalJSON writes unknown fields back, after the known ones.
func (m Manifest) MarshalJSON() ([]byte, error) { return EncodeKeeping(plainManifest(m), m.extra) }

// UnmarshalJSON keeps unknown fields.
func (e *Entry) UnmarshalJSON(data []byte) error {
	return DecodeKeeping(data, (*plainEntry)(e), &e.extra)
}

// MarshalJSON writes unknown fields back, after the known ones.
func (e Entry) MarshalJSON() ([]byte, error) { return EncodeKeeping(plainEntry(e), e.extra) }

// UnmarshalJSON keeps unknown fields.
func (f *File) UnmarshalJSON(data []byte) error {
	return DecodeKeeping(data, (*plainFile)(f), &f.extra)
}

// MarshalJSON writes unknown fields back, after the known ones.
func (f File) MarshalJSON() ([]byte, error) { return EncodeKeeping(plainFile(f), f.extra) }

// UnmarshalJSON keeps unknown fields.
func (i *Image) UnmarshalJSON(data []byte) error {
	return DecodeKeeping(data, (*plainImage)(i), &i.extra)
}

// MarshalJSON writes unknown fields back, after the known ones.
func (i Image) MarshalJSON() ([]byte, error) { return EncodeKeeping(plainImage(i), i.extra) }

// UnmarshalJSON keeps unknown fields.
func (c *Chain) UnmarshalJSON(data []byte) error {
	return DecodeKeeping(data, (*plainChain)(c), &c.extra)
}

// MarshalJSON writes unknown fields back, after the known ones.
func (c Chain) MarshalJSON() ([]byte, error) { return EncodeKeeping(plainChain(c), c.extra) }

// DecodeKeeping decodes an object into the struct that known points to, and puts the fields that the
// struct does not have into extra. It refuses a known field in another case, such as "Seq".
func DecodeKeeping(data []byte, known any, extra *map[string]json.RawMessage) error {
	if err := json.Unmarshal(data, known); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	names := fieldNames(reflect.TypeOf(known).Elem())
	for _, name := range names {
		delete(all, name)
	}
	for have := range all {
		// encoding/json takes "Seq" for "seq". Kept as an unknown field too, it would be written behind the
		// new value, and hide it from the next reader.
		same := func(name string) bool { return strings.EqualFold(name, have) }
		if i := slices.IndexFunc(names, same); i >= 0 {
			return fmt.Errorf("key %.60q must be written %q", have, names[i])
		}
	}
	*extra = nil
	if len(all) > 0 {
		*extra = all
	}
	return nil
}

// EncodeKeeping encodes a struct, with the fields of extra behind its own.
func EncodeKeeping(known any, extra map[string]json.RawMessage) ([]byte, error) {
	body, err := json.Marshal(known)
	if err != nil || len(extra) == 0 {
		return body, err
	}
	names := make([]string, 0, len(extra))
	for name := range extra {
		names = append(names, name)
	}
	slices.Sort(names)
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(body, []byte("}")))
	for _, name := range names {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		out.WriteByte(',')
		out.Write(key)
		out.WriteByte(':')
		out.Write(extra[name])
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if t.Field(i).Anonymous {
			names = append(names, fieldNames(t.Field(i).Type)...)
			continue
		}
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}
