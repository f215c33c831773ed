// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ask sends one request of the EC2 query protocol past the proxy, and reads the answer into out, if any.
func (l *lab) ask(ctx context.Context, region string, form url.Values, out any) error {
	form.Set("Version", "2016-11-15")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.aws.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// The emulator reads the region in here, and checks no signature.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260102/"+region+
		"/ec2/aws4_request, SignedHeaders=host, Signature=none")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the emulator in %s: %w", region, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s in %s: %s: %w\n%s", form.Get("Action"), region, res.Status, err, body)
	}
	if out == nil {
		return nil
	}
	return xml.Unmarshal(body, out)
}

// warmRegions touches every region once: the emulator makes one up when it is first asked about it.
func (l *lab) warmRegions(ctx context.Context) error {
	var errs []error
	for _, region := range regions[:l.pick(len(regions), wanted)] {
		errs = append(errs, l.ask(ctx, region, url.Values{"Action": {"DescribeImages"}, "Owner.1": {"self"}}, nil))
	}
	return errors.Join(errs...)
}

// register makes an AMI, with one tag when a key is given, and answers its id.
func (l *lab) register(ctx context.Context, name, key, value string) (string, error) {
	var answer struct {
		ImageID string `xml:"imageId"`
	}
	if err := l.ask(ctx, home, url.Values{"Action": {"RegisterImage"}, "Name": {name}}, &answer); err != nil {
		return "", err
	}
	if answer.ImageID == "" {
		return "", fmt.Errorf("register %s: the emulator named no AMI", name)
	}
	if key == "" {
		return answer.ImageID, nil
	}
	// The emulator passes over tags in RegisterImage.
	return answer.ImageID, l.ask(ctx, home, url.Values{"Action": {"CreateTags"}, "ResourceId.1": {answer.ImageID},
		"Tag.1.Key": {key}, "Tag.1.Value": {value}}, nil)
}
