// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxSize is the largest document that is read or written, in bytes.
const MaxSize = 1 << 20

// MaxSeq is the largest seq of a document: the largest number that every JSON reader keeps exact.
const MaxSeq = 1<<53 - 1

// ErrCorrupt means that a document is damaged, or belongs to another image or build.
var ErrCorrupt = errors.New("corrupt")

// Advise adds to an error what the user can do about a damaged document, if that is the cause and
// the error has no advice yet.
func Advise(err error) error {
	if !errors.Is(err, ErrCorrupt) || strings.Contains(err.Error(), "\n\n") {
		return err
	}
	return fmt.Errorf("%w\n\nRestore an older version of it. If there is none, delete it, and run "+
		"the builds that wrote it again.", err)
}

// ErrTooLarge means that a document would exceed [MaxSize].
var ErrTooLarge = errors.New("document is too large")

// SchemaError means that a newer plugin wrote the document.
type SchemaError struct{ Have int64 }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("unsupported schema version %d, this plugin reads %d\n\n"+
		"Upgrade the chain plugin.", e.Have, Schema)
}

// Decode reads one JSON object into v. It returns [ErrCorrupt] for anything else, including a body
// over [MaxSize], invalid UTF-8 and duplicate keys.
func Decode(body []byte, v any) error {
	if len(body) > MaxSize {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrCorrupt, len(body), MaxSize)
	}
	if jsontext.Value(body).Kind() != '{' {
		return fmt.Errorf("%w: not a JSON object", ErrCorrupt)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %s", ErrCorrupt, explain(err))
	}
	return nil
}

// explain returns what is wrong and where, without the words of Go.
func explain(err error) string {
	var misfit *json.SemanticError
	if !errors.As(err, &misfit) {
		return strings.TrimPrefix(err.Error(), "jsontext: ")
	}
	text := fmt.Sprintf("unexpected %s at %q", misfit.JSONKind, misfit.JSONPointer)
	if misfit.Err != nil {
		text += ": " + misfit.Err.Error()
	}
	return text
}

// CheckSchema refuses a document of a newer plugin. Call it before the rest is decoded, because
// the fields of a newer document may have other types.
func CheckSchema(schema jsontext.Value) error {
	var have int64
	if err := json.Unmarshal(schema, &have); err != nil || have < 1 {
		return fmt.Errorf("%w: schema is %.60q", ErrCorrupt, schema)
	}
	if have > Schema {
		return &SchemaError{Have: have}
	}
	return nil
}

// Encode returns v as the indented JSON that is stored. It returns [ErrTooLarge] for a body over
// [MaxSize].
func Encode(v any) ([]byte, error) {
	body, err := Indent(v)
	if err == nil && len(body) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(body), MaxSize)
	}
	return body, err
}

// Indent returns v as indented JSON of any size. The same value is always the same bytes.
func Indent(v any) ([]byte, error) {
	var out bytes.Buffer
	err := json.MarshalWrite(&out, v, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
