// SPDX-License-Identifier: MPL-2.0

// Package optiontest configures components in tests as Packer does. No plugin code imports it.
package optiontest

import (
	"errors"
	"testing"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclparse"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/zclconf/go-cty/cty"
)

// Offline leaves no AWS to ask, whatever the environment is.
func Offline(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_CA_BUNDLE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
}

// Decode decodes a body in HCL as Packer does for a component.
func Decode(t *testing.T, component packersdk.HCL2Speccer, body string) cty.Value {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(body), "test.pkr.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	value, diags := hcldec.Decode(file.Body, component.ConfigSpec(), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return value
}

// Texts returns the errors of Configure, one text for each.
func Texts(err error) []string {
	if err == nil {
		return nil
	}
	var multi *packersdk.MultiError
	if !errors.As(err, &multi) {
		return []string{err.Error()}
	}
	var all []string
	for _, err := range multi.Errors {
		all = append(all, err.Error())
	}
	return all
}
