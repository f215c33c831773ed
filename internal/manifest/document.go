// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth is how deep a document may be nested. Ours needs six levels.
const maxDepth = 32

// MaxSeq is the largest seq of a document: the largest number that every reader of JSON has exactly.
const MaxSeq = 1<<53 - 1

// ErrCorrupt means that a document is damaged, or is not what its place says it is.
var ErrCorrupt = errors.New("corrupt")

// ErrTooLarge means that a document would be over [MaxSize].
var ErrTooLarge = errors.New("document is too large")

// SchemaError means that a newer plugin wrote the document.
type SchemaError struct{ Have int64 }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("unsupported schema version %d, this plugin reads %d\n\nUpgrade the chain plugin.", e.Have, Schema)
}

// Decode reads one JSON document into v. It refuses, as [ErrCorrupt], what encoding/json lets
// pass: a body over [MaxSize], bytes that are no UTF-8, a key that is there twice, deep nesting.
func Decode(body []byte, v any) error {
	if err := checkBytes(body); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := unmarshal(body, v); err != nil {
		return err
	}
	if err := checkNesting(body); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// DecodeChecked is [Decode] in two steps: it reads the head, and the rest only when check, which looks at
// the head, has nothing against it. The fields of a newer plugin may have other types.
func DecodeChecked(body []byte, head any, check func() error, v json.Unmarshaler) error {
	if err := Decode(body, head); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	// On the way through json.Unmarshal the body would be scanned twice more.
	if err := v.UnmarshalJSON(body); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

func unmarshal(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, explain(body, err))
	}
	return nil
}

// explain says of a body that is no JSON what it is.
func explain(body []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	var first json.RawMessage
	switch whole := dec.Decode(&first); {
	case whole == nil:
		return errors.New("data behind the end of the document")
	case errors.Is(whole, io.ErrUnexpectedEOF):
		return errors.New("it is cut short")
	}
	return err
}

// Encode writes v as the indented JSON that is stored. It refuses a body over [MaxSize].
func Encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	if out.Len() > MaxSize {
		return nil, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrTooLarge, out.Len(), MaxSize)
	}
	return out.Bytes(), nil
}

// CheckSchema refuses a document of a newer plugin, before anything else of it is looked at: its
// fields may have other types.
func CheckSchema(schema json.Number) error {
	have, err := schema.Int64()
	if err != nil || have < 1 {
		return fmt.Errorf("%w: schema is %.60q", ErrCorrupt, schema)
	}
	if have > Schema {
		return &SchemaError{Have: have}
	}
	return nil
}

func checkBytes(body []byte) error {
	if len(body) > MaxSize {
		return fmt.Errorf("%d bytes, the limit is %d", len(body), MaxSize)
	}
	if first := bytes.TrimLeft(body, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return errors.New("not a JSON object")
	}
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	return nil
}

// checkNesting refuses deep nesting, and a key that is there twice, in what is known to be valid JSON.
// [json.Decoder.Token] finds them too, but takes ten times as long, which is most of what a busy ref costs.
func checkNesting(document []byte) error {
	var open []map[string]bool // the keys of each object and list around a place; those of a list are nil
	for at := 0; at < len(document); at++ {
		switch document[at] {
		case '{':
			open = append(open, map[string]bool{})
		case '[':
			open = append(open, nil)
		case '}', ']':
			open = open[:len(open)-1]
		case '"':
			text := document[at : at+stringLength(document[at:])]
			at += len(text) - 1
			if next := bytes.TrimLeft(document[at+1:], " \t\r\n"); len(next) == 0 || next[0] != ':' {
				continue
			}
			key := unquote(text)
			if keys := open[len(open)-1]; keys[key] {
				return fmt.Errorf("key %.60q is there twice", key)
			}
			open[len(open)-1][key] = true
		}
		if len(open) > maxDepth {
			return fmt.Errorf("nested deeper than %d levels", maxDepth)
		}
	}
	return nil
}

// stringLength is the length of the JSON string that a text begins with, quotes included.
func stringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// unquote reads a valid JSON string.
func unquote(text []byte) (s string) {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1])
	}
	_ = json.Unmarshal(text, &s)
	return s
}
