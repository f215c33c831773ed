// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// ask sends one request to EC2 past the proxy, and reads the response into out, if any.
func (l *lab) ask(ctx context.Context, region string, form url.Values, out any) error {
	form.Set("Version", "2016-11-15")
	return l.aws.Query(ctx, "ec2", region, form, out)
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
