// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
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
// pass: a body over [MaxSize], bytes that are no UTF-8, data behind the document, a key that is there
// twice, deep nesting.
func Decode(body []byte, v any) error {
	if err := checkForm(body); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return unmarshal(body, v)
}

// DecodeChecked is [Decode] in two steps: it reads the head, and the rest only when check, which looks at
// the head, has nothing against it. The fields of a newer plugin may have other types.
func DecodeChecked(body []byte, head any, check func() error, v any) error {
	if err := Decode(body, head); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	return unmarshal(body, v)
}

func unmarshal(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
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

// Digest is the SHA-256 of a body, in lower-case hex.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func checkForm(body []byte) error {
	if len(body) > MaxSize {
		return fmt.Errorf("%d bytes, the limit is %d", len(body), MaxSize)
	}
	if first := bytes.TrimLeft(body, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return errors.New("not a JSON object")
	}
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := checkValue(dec, 0); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("it is cut short")
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data behind the end of the document")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, isDelim := token.(json.Delim)
	if !isDelim {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string)
			if seen[name] {
				return fmt.Errorf("key %.60q is there twice", name)
			}
			seen[name] = true
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
