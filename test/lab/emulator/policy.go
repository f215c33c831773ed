// SPDX-License-Identifier: MPL-2.0

package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Policy is what a user may do (AWS IAM User Guide, "JSON policy elements").
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement allows actions on resources.
type Statement struct {
	Sid      string `json:",omitempty"`
	Effect   string
	Action   list
	Resource list
	// Condition is beyond the emulator: a policy that has one is refused.
	Condition json.RawMessage `json:",omitempty"`
}

// list is a list of texts. In JSON, one text may stand for a list.
type list []string

func (l *list) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// Everything is the policy of an administrator.
var Everything = Policy{Version: "2012-10-17", Statement: []Statement{
	{Effect: "Allow", Action: list{"*"}, Resource: list{"*"}}}}

// ReadPolicy reads the policy in a section of a page of Markdown, such as "To build": the only
// block of JSON with a Statement there.
func ReadPolicy(page, heading string) (Policy, error) {
	var policy Policy
	text, err := os.ReadFile(page)
	if err != nil {
		return policy, err
	}
	_, section, found := strings.Cut(string(text), "\n### "+heading+"\n")
	if !found {
		return policy, fmt.Errorf("read the policy of %s: it has no heading %q", page, heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	var blocks []string
	for i, part := range strings.Split(section, "```") {
		block, ok := strings.CutPrefix(part, "json\n")
		if ok && i%2 == 1 && strings.Contains(block, `"Statement"`) {
			blocks = append(blocks, block)
		}
	}
	if len(blocks) != 1 {
		return policy, fmt.Errorf("read the policy of %s, %s: got %d policies, want one",
			page, heading, len(blocks))
	}
	if err := json.Unmarshal([]byte(blocks[0]), &policy); err != nil {
		return policy, fmt.Errorf("read the policy of %s, %s: %w", page, heading, err)
	}
	return policy, nil
}

// Actions returns all actions that the policy allows, sorted.
func (p Policy) Actions() []string {
	var actions []string
	for _, statement := range p.Statement {
		actions = append(actions, statement.Action...)
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// Without returns the policy less one action.
func (p Policy) Without(action string) Policy {
	less := Policy{Version: p.Version}
	for _, statement := range p.Statement {
		statement.Action = slices.DeleteFunc(slices.Clone(statement.Action),
			func(a string) bool { return a == action })
		if len(statement.Action) > 0 {
			less.Statement = append(less.Statement, statement)
		}
	}
	return less
}

// JSON returns the policy as the emulator can enforce it. The emulator supports the resources of
// S3 only, and no conditions.
func (p Policy) JSON() (string, error) {
	adapted := Policy{Version: p.Version}
	for _, statement := range p.Statement {
		if statement.Condition != nil || statement.Effect != "Allow" {
			return "", errors.New("the emulator supports no conditions, and no effect but Allow")
		}
		if !strings.HasPrefix(statement.Action[0], "s3:") {
			statement.Resource = list{"*"}
		}
		adapted.Statement = append(adapted.Statement, statement)
	}
	text, err := json.Marshal(adapted)
	return string(text), err
}
