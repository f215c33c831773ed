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
	Reason    string
	Tags      map[string]string
	Snapshots []string
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
	b.WriteString("<blockDeviceMapping><item><deviceName>/dev/sdb</deviceName>" +
		"<virtualName>ephemeral0</virtualName></item>")
	for _, s := range i.Snapshots {
		fmt.Fprintf(&b, "<item><ebs><snapshotId>%s</snapshotId></ebs></item>", s)
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
