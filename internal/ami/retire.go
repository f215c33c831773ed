// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// Deprecate sets the time from which EC2 shows the AMI as deprecated, to the minute, and returns
// when EC2 shows that time. EC2 accepts no time in the past, so one that has passed becomes the
// earliest that it accepts for certain: the second full minute from now. An AMI that is deprecated
// by then already is left alone. A zero time removes the deprecation. An AMI that does not exist is
// an error at once.
func (c *Client) Deprecate(ctx context.Context, region, id string, at time.Time) error {
	if at.IsZero() {
		return c.change(ctx, region, id, change{
			verb: "remove the deprecation of", action: undeprecateAction,
			lacks: func(img Image) string { return deprecation(img, !img.DeprecatedAt.IsZero()) },
			write: func(ctx context.Context, api ec2API) error {
				in := &ec2.DisableImageDeprecationInput{ImageId: &id}
				_, err := api.disableImageDeprecation(ctx, in, noRetries)
				return err
			},
		})
	}
	return c.change(ctx, region, id, change{
		verb: "deprecate", action: deprecateAction,
		lacks: func(img Image) string { return deprecation(img, !deprecatedAt(img, at, time.Now())) },
		write: func(ctx context.Context, api ec2API) error {
			when, _ := deprecationTime(at, time.Now())
			in := &ec2.EnableImageDeprecationInput{ImageId: &id, DeprecateAt: &when}
			_, err := api.enableImageDeprecation(ctx, in, noRetries)
			return err
		},
	})
}

// deprecationTime returns the time that EC2 is asked for, and whether that is the earliest. EC2
// rounds to the minute (Amazon EC2 API Reference, "EnableImageDeprecation"): less than a minute
// ahead might become the past, by its clock too.
func deprecationTime(at, now time.Time) (when time.Time, earliest bool) {
	when, first := at.UTC().Round(time.Minute), now.UTC().Truncate(time.Minute).Add(2*time.Minute)
	if when.After(first) {
		return when, false
	}
	return first, true
}

// deprecatedAt reports whether the image has the deprecation that [Client.Deprecate] would give it.
func deprecatedAt(img Image, at, now time.Time) bool {
	when, earliest := deprecationTime(at, now)
	if earliest {
		return img.Deprecated(when)
	}
	return img.DeprecatedAt.Equal(when)
}

// deprecation returns the deprecation of an image in words, or "" if it is not wrong.
func deprecation(img Image, wrong bool) string {
	switch {
	case !wrong:
		return ""
	case img.DeprecatedAt.IsZero():
		return "no deprecation"
	}
	return "deprecation at " + img.DeprecatedAt.Format(time.RFC3339)
}

// Disable makes that nobody can start the AMI, and returns when EC2 shows it as disabled. EC2 also
// takes away every permission to launch it, and [Client.Enable] does not give those back. An AMI
// that is disabled is left alone; one that does not exist is an error at once.
func (c *Client) Disable(ctx context.Context, region, id string) error {
	return c.change(ctx, region, id, change{
		verb: "disable", action: disableAction,
		lacks: func(img Image) string { return shownState(img, !img.Disabled()) },
		write: func(ctx context.Context, api ec2API) error {
			_, err := api.disableImage(ctx, &ec2.DisableImageInput{ImageId: &id}, noRetries)
			return err
		},
	})
}

// Enable takes [Client.Disable] back, and returns when EC2 does not show the AMI as disabled any
// more. An AMI that is not disabled is left alone; one that does not exist is an error at once.
func (c *Client) Enable(ctx context.Context, region, id string) error {
	return c.change(ctx, region, id, change{
		verb: "enable", action: enableAction,
		lacks: func(img Image) string { return shownState(img, img.Disabled()) },
		write: func(ctx context.Context, api ec2API) error {
			_, err := api.enableImage(ctx, &ec2.EnableImageInput{ImageId: &id}, noRetries)
			return err
		},
	})
}

// shownState returns the state of an image in words, or "" if it is not wrong.
func shownState(img Image, wrong bool) string {
	if wrong {
		return "it as " + img.State
	}
	return ""
}

// change is a change of one AMI.
type change struct {
	verb, action string
	// lacks returns what EC2 shows that the change has to end, or "".
	lacks func(Image) string
	write func(context.Context, ec2API) error
}

// change makes the change if the AMI lacks it, and returns when EC2 shows it.
func (c *Client) change(ctx context.Context, region, id string, want change) error {
	what := fmt.Sprintf("%s %s in %s", want.verb, id, region)
	ctx, cancel := limited(ctx)
	defer cancel()
	watch := c.watch(region)
	defer watch.Stop()
	if err := c.changeAndSee(ctx, watch, region, id, what, want); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (c *Client) changeAndSee(
	ctx context.Context, watch *retry.Watch, region, id, what string, want change,
) error {
	api, err := c.region(region)
	if err != nil {
		return err
	}
	seen, err := c.existing(ctx, watch, region, []string{id})
	if err != nil {
		return err
	}
	if want.lacks(seen[0]) == "" {
		return nil
	}
	err = c.again(ctx, watch, what, func() error { return want.write(ctx, api) })
	if err != nil {
		return explain(err, region, want.action)
	}
	return c.again(ctx, watch, what, func() error {
		seen, err := c.byIDAlone(ctx, region, []string{id}, noRetries)
		switch {
		case err != nil:
			return err
		case len(seen) == 0:
			return errNotYet
		}
		if shows := want.lacks(seen[0]); shows != "" {
			return &staleError{shows}
		}
		return nil
	})
}

// existing returns images that were seen before. One that EC2 does not know is an error at once.
func (c *Client) existing(
	ctx context.Context, watch *retry.Watch, region string, ids []string,
) (seen []Image, err error) {
	what := fmt.Sprintf("find %s in %s", strings.Join(ids, ", "), region)
	err = c.again(ctx, watch, what, func() error {
		var gone *goneError
		seen, err = c.byIDAlone(ctx, region, ids, noRetries)
		switch {
		case errors.As(err, &gone):
			// Not wrapped: the error of EC2 would be worth a retry.
			return fmt.Errorf("it does not exist: %s", briefly(err))
		case err == nil && len(seen) < len(ids):
			return errors.New("it does not exist")
		}
		return err
	})
	return seen, err
}
