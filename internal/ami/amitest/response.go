// SPDX-License-Identifier: MPL-2.0

package amitest

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const namespace = `xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"`

// Image is an AMI as the server describes it. Empty: available, x86_64, of
// 2026-05-01T10:00:00.000Z, and of account 123456789012.
type Image struct {
	ID, Name, State, Owner, Alias, Arch, Created, Deprecated string
	// Reason is the message of its state.
	Reason string
	Tags   map[string]string
	// Snapshots are those of /dev/sda1, /dev/sdc, /dev/sdd and so on. /dev/sdb has none.
	Snapshots []string
	// Root is the name of the root device. Default: /dev/sda1.
	Root string
}

func (i Image) xml() string {
	var b strings.Builder
	element := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "<%s>%s</%s>", name, html.EscapeString(value), name)
		}
	}
	b.WriteString("<item>")
	element("imageId", i.ID)
	element("name", i.Name)
	element("imageState", cmp.Or(i.State, "available"))
	element("imageOwnerId", cmp.Or(i.Owner, "123456789012"))
	element("imageOwnerAlias", i.Alias)
	element("architecture", cmp.Or(i.Arch, "x86_64"))
	element("creationDate", cmp.Or(i.Created, "2026-05-01T10:00:00.000Z"))
	element("deprecationTime", i.Deprecated)
	if i.Reason != "" {
		fmt.Fprintf(&b, "<stateReason><code>C</code><message>%s</message></stateReason>",
			html.EscapeString(i.Reason))
	}
	element("rootDeviceName", cmp.Or(i.Root, "/dev/sda1"))
	b.WriteString("<blockDeviceMapping><item><deviceName>/dev/sdb</deviceName>" +
		"<virtualName>ephemeral0</virtualName></item>")
	for n, s := range i.Snapshots {
		device := "/dev/sda1"
		if n > 0 {
			device = fmt.Sprintf("/dev/sd%c", 'b'+n)
		}
		fmt.Fprintf(&b, "<item><deviceName>%s</deviceName><ebs><snapshotId>%s</snapshotId></ebs></item>",
			device, s)
	}
	b.WriteString("</blockDeviceMapping><tagSet>")
	for _, key := range slices.Sorted(maps.Keys(i.Tags)) {
		fmt.Fprintf(&b, "<item><key>%s</key><value>%s</value></item>",
			html.EscapeString(key), html.EscapeString(i.Tags[key]))
	}
	b.WriteString("</tagSet></item>")
	return b.String()
}

// Page returns the body of a response to DescribeImages. A token announces a next page.
func Page(token string, images ...Image) string {
	var b strings.Builder
	b.WriteString("<DescribeImagesResponse " + namespace + "><imagesSet>")
	for _, i := range images {
		b.WriteString(i.xml())
	}
	b.WriteString("</imagesSet>")
	if token != "" {
		fmt.Fprintf(&b, "<nextToken>%s</nextToken>", token)
	}
	b.WriteString("</DescribeImagesResponse>")
	return b.String()
}

// Done returns a step that expects an action with these parameters, given as name, value, and
// accepts it. A value "" means that the request must not have the parameter.
func Done(action string, parameters ...string) Step {
	step := Step{Body: fmt.Sprintf("<%sResponse %s><return>true</return></%[1]sResponse>",
		action, namespace)}.On(action)
	for pair := range slices.Chunk(parameters, 2) {
		step.Want[pair[0]] = pair[1]
	}
	return step
}

// LaunchPermission returns a step that expects a DescribeImageAttribute of an AMI, and responds
// with the accounts and the ARNs of organizations and organizational units that may launch it.
func LaunchPermission(id string, who ...string) Step {
	var b strings.Builder
	for _, one := range who {
		name := "userId"
		switch {
		case one == "all":
			name = "group"
		case strings.Contains(one, ":ou/"):
			name = "organizationalUnitArn"
		case strings.HasPrefix(one, "arn:"):
			name = "organizationArn"
		}
		fmt.Fprintf(&b, "<item><%s>%s</%[1]s></item>", name, one)
	}
	step := Step{Body: fmt.Sprintf("<DescribeImageAttributeResponse %s><imageId>%s</imageId>"+
		"<launchPermission>%s</launchPermission></DescribeImageAttributeResponse>",
		namespace, id, b.String())}.On("DescribeImageAttribute")
	step.Want["ImageId"], step.Want["Attribute"] = id, "launchPermission"
	return step
}

// VolumePermission returns a step that expects a DescribeSnapshotAttribute of a snapshot, and
// responds with the accounts that may create volumes from it.
func VolumePermission(id string, accounts ...string) Step {
	var b strings.Builder
	for _, account := range accounts {
		fmt.Fprintf(&b, "<item><userId>%s</userId></item>", account)
	}
	step := Step{Body: fmt.Sprintf("<DescribeSnapshotAttributeResponse %s><snapshotId>%s</snapshotId>"+
		"<createVolumePermission>%s</createVolumePermission></DescribeSnapshotAttributeResponse>",
		namespace, id, b.String())}.On("DescribeSnapshotAttribute")
	step.Want["SnapshotId"], step.Want["Attribute"] = id, "createVolumePermission"
	return step
}

// Tagged is the body of a response to CreateTags.
const Tagged = "<CreateTagsResponse " + namespace + "><return>true</return></CreateTagsResponse>"

// Describe returns a step that expects a DescribeImages, and responds with one page of images.
func Describe(images ...Image) Step {
	return Step{Body: Page("", images...)}.On("DescribeImages")
}

// Tag returns a step that expects a CreateTags of exactly these resources, and accepts it.
func Tag(ids ...string) Step {
	step := Step{Body: Tagged}.On("CreateTags")
	for i, id := range ids {
		step.Want[fmt.Sprintf("ResourceId.%d", i+1)] = id
	}
	step.Want[fmt.Sprintf("ResourceId.%d", len(ids)+1)] = ""
	return step
}

// Refuse returns a step that responds with an error of EC2.
func Refuse(status int, code, message string) Step {
	body := fmt.Sprintf("<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error>"+
		"</Errors><RequestID>r-1</RequestID></Response>",
		url.PathEscape(code), html.EscapeString(message))
	return Step{Status: status, Body: body}
}

// NotFound returns the response of EC2 for an AMI that it does not know (any more, or yet).
func NotFound() Step {
	return Refuse(http.StatusBadRequest, "InvalidAMIID.NotFound", "The image id does not exist")
}

// Throttled returns the response of EC2 to too many requests.
func Throttled() Step {
	return Refuse(http.StatusServiceUnavailable, "RequestLimitExceeded", "Request limit exceeded.")
}

// Times returns a step n times.
func Times(n int, step Step) []Step { return slices.Repeat([]Step{step}, n) }
