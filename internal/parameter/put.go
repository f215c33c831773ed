// SPDX-License-Identifier: MPL-2.0

package parameter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametername"
	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

const (
	// putTimeout limits [Client.Put] if its context has no deadline.
	putTimeout = 5 * time.Minute
	// dataType makes SSM check that the AMI exists, and EC2 accept the parameter in place of one.
	dataType = "aws:ec2:image"
)

// Put makes a parameter name an AMI: its type is String and its data type aws:ec2:image. A
// parameter that names the AMI already is left alone, and changed is false. SSM has no conditional
// write, and checks an AMI after it has accepted it: Put returns when SSM shows the AMI. It also
// returns, without an error, when SSM shows another AMI in a later version, because somebody else
// wrote after Put did. Who keeps a parameter equal to something that may move looks at that again
// after Put, and repeats it if it moved. Put retries until ctx ends, or for 5 minutes if ctx has no
// deadline. It does not overwrite a parameter that holds anything but an AMI.
func (c *Client) Put(ctx context.Context, region, name, ami string) (changed bool, err error) {
	changed, err = c.put(ctx, region, name, ami)
	if err != nil {
		return changed, fmt.Errorf("write parameter %s in %s: %w", name, region, err)
	}
	return changed, nil
}

func (c *Client) put(ctx context.Context, region, name, ami string) (bool, error) {
	if err := parametername.Check(name); err != nil {
		return false, fmt.Errorf("the name %w", err)
	}
	if !manifest.IsAMI(ami) {
		return false, fmt.Errorf("%.80q is not the id of an AMI", ami)
	}
	api, err := c.region(region)
	if err != nil {
		return false, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, putTimeout)
		defer cancel()
	}
	watch := retry.NewWatch(c.notify, "no response yet from SSM in "+region)
	defer watch.Stop()
	w := &writing{client: c, api: api, region: region, name: name, ami: ami}
	err = c.pace.Until(ctx, watch, func() error { return w.step(ctx) },
		func(err error) (string, bool) {
			return fmt.Sprintf("write parameter %s in %s: %s", name, region, w.briefly(err)), passes(err)
		})
	if errors.Is(err, errNotShown) {
		err = fmt.Errorf("%w: is it available in this region and visible to this account?\n\n"+
			"SSM checks an AMI with the credentials of the request, and says nothing if they lack %s.",
			err, describeAction)
	}
	return w.sent, err
}

// writing is one call of [Client.Put].
type writing struct {
	client            *Client
	api               ssmAPI
	region, name, ami string

	// sent is true once a write was sent, whatever became of it.
	sent bool
	// accepted is the version that SSM has given to our write. 0: none.
	accepted int64
}

// step looks at the parameter, and writes it if that is still to be done. It returns nil when the
// parameter is as it should be, or a later write has taken the place of ours.
func (w *writing) step(ctx context.Context) error {
	shown, err := w.read(ctx)
	if err != nil && w.accepted > 0 {
		return fmt.Errorf("read it after SSM accepted %s: %w", w.ami, err)
	}
	if err != nil {
		return err
	}
	switch {
	case shown.Value == nil:
	case !isOurs(shown):
		return foreign(shown)
	case aws.ToString(shown.Value) == w.ami:
		return nil
	case w.accepted > 0 && shown.Version > w.accepted:
		return nil
	}
	// Two concurrent writes may be given the same version. Then SSM shows only one of them.
	if w.accepted == 0 || w.accepted == shown.Version {
		if err := w.write(ctx, shown); err != nil {
			return err
		}
	}
	return &notShownError{w.ami}
}

// read returns the parameter. The zero Parameter means that it does not exist.
func (w *writing) read(ctx context.Context) (types.Parameter, error) {
	var out *ssm.GetParameterOutput
	err := w.client.attempt(ctx, func(ctx context.Context) (err error) {
		out, err = w.api.getParameter(ctx, &ssm.GetParameterInput{Name: &w.name})
		return err
	})
	var absent *types.ParameterNotFound
	switch {
	case errors.As(err, &absent):
		return types.Parameter{}, nil
	case err != nil:
		return types.Parameter{}, explain(err, w.region, readAction)
	case out.Parameter == nil || out.Parameter.Value == nil:
		return types.Parameter{}, errors.New("SSM returned a parameter without a value")
	}
	return *out.Parameter, nil
}

// write writes the parameter. It does not overwrite what did not exist a moment ago.
func (w *writing) write(ctx context.Context, shown types.Parameter) error {
	w.sent = true
	var out *ssm.PutParameterOutput
	err := w.client.attempt(ctx, func(ctx context.Context) (err error) {
		out, err = w.api.putParameter(ctx, &ssm.PutParameterInput{
			Name: &w.name, Value: &w.ami, Type: types.ParameterTypeString,
			DataType: aws.String(dataType), Overwrite: aws.Bool(shown.Value != nil),
		})
		return err
	})
	if err != nil {
		return explain(err, w.region, writeAction)
	}
	w.accepted = max(out.Version, 1)
	return nil
}

// isOurs reports whether a parameter may be overwritten. An emulator may leave out the data type.
func isOurs(p types.Parameter) bool {
	kind := aws.ToString(p.DataType)
	return p.Type == types.ParameterTypeString && (kind == dataType || kind == "") &&
		manifest.IsAMI(aws.ToString(p.Value))
}
