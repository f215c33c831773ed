// SPDX-License-Identifier: MPL-2.0

package option

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
)

// Unknown is what Packer passes to a plugin for a value that is not known yet.
const Unknown = "<unknown>"

// IsUnknown reports whether a value, or a part of it, is not known yet.
func IsUnknown(value string) bool { return strings.Contains(value, Unknown) }

// Known returns an error if one of the options in a struct is not known. It finds them by
// reflection, so that a new one cannot be forgotten. Those named in except may hold anything.
func Known(config any, except ...string) error {
	if name := firstUnknown("", reflect.ValueOf(config), except); name != "" {
		return fmt.Errorf("%s is %q: it refers to a value that is never set", name, Unknown)
	}
	return nil
}

// firstUnknown returns the name in HCL of the first option in v that is not known, or "": the name
// of v, or that of an option in a block, such as "registry_access.assume_role.role_arn".
func firstUnknown(name string, v reflect.Value, except []string) (found string) {
	switch v.Kind() {
	case reflect.String:
		if IsUnknown(v.String()) {
			return name
		}
	case reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() && v.Int() == int64(unknownDuration) {
			return name
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return firstUnknown(name, v.Elem(), except)
		}
	case reflect.Slice:
		for i := 0; i < v.Len() && found == ""; i++ {
			found = firstUnknown(name, v.Index(i), except)
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			found = cmp.Or(found, firstUnknown(name, key, except), firstUnknown(name, value, except))
		}
	case reflect.Struct:
		return firstUnknownField(name, v, except)
	default: // Numbers and booleans that are not known are zero.
	}
	return found
}

func firstUnknownField(block string, v reflect.Value, except []string) string {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		// PackerConfig is not about this component: it holds the variables of the whole template.
		if !field.IsExported() || field.Type == reflect.TypeFor[common.PackerConfig]() {
			continue
		}
		tag, flags, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		name := block
		if flags != "squash" {
			name = strings.TrimPrefix(block+"."+cmp.Or(tag, field.Name), ".")
		}
		if slices.Contains(except, name) {
			continue
		}
		if found := firstUnknown(name, v.Field(i), except); found != "" {
			return found
		}
	}
	return ""
}
