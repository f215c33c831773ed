// SPDX-License-Identifier: MPL-2.0

package parameter

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Actions as a policy names them. A write with the data type aws:ec2:image needs describeAction too
// (AWS Systems Manager User Guide, "Native parameter support for Amazon Machine Image IDs").
const (
	readAction     = "ssm:GetParameter"
	writeAction    = "ssm:PutParameter"
	describeAction = "ec2:DescribeImages"
)

var (
	// errNotShown means that SSM accepted the AMI, and shows what was there before.
	errNotShown = errors.New("not shown yet")
	// errNoResponse means that a request took too long.
	errNoResponse = errors.New("no response")
)

// notShownError is [errNotShown] for an AMI.
type notShownError struct{ ami string }

func (e *notShownError) Error() string {
	return fmt.Sprintf("SSM accepted %s but does not show it", e.ami)
}

func (e *notShownError) Is(target error) bool { return target == errNotShown }

// passes reports whether the same request may succeed later.
func passes(err error) bool {
	if errors.Is(err, errNotShown) || errors.Is(err, errNoResponse) {
		return true
	}
	switch awserror.Code(err) {
	case "TooManyUpdates", "InternalServerError":
		return true
	case "ParameterAlreadyExists":
		// Somebody else has just created it. Next time it is read, and then overwritten or refused.
		return true
	}
	return awserror.Passing(err)
}

// briefly returns an error for a line of progress.
func (w *writing) briefly(err error) string {
	if errors.Is(err, errNotShown) {
		return fmt.Sprintf("SSM checks that %s exists before it shows it", w.ami)
	}
	if code := awserror.Code(err); code != "" {
		return code
	}
	return err.Error()
}

// explain adds what the user can do to an error of SSM. The error stays the cause.
func explain(err error, region, action string) error {
	explained := awserror.Request{Kind: awserror.SSM, Action: action, Region: region}.Explain(err)
	if awserror.Denied(err) && !awserror.InCredentials(err) && action == writeAction {
		return fmt.Errorf("%w They also need %s, with which SSM checks the AMI.", explained,
			describeAction)
	}
	return explained
}

// foreign returns why a parameter is not overwritten. Its value may be a secret.
func foreign(p types.Parameter) error {
	why := "its value is not the id of an AMI"
	switch {
	case p.Type != types.ParameterTypeString:
		why = fmt.Sprintf("its type is %s, and that of a parameter for an AMI is String", p.Type)
	case manifest.IsAMI(aws.ToString(p.Value)):
		return fmt.Errorf("its data type is %s, and EC2 takes an AMI only from parameters of the data "+
			"type %s\n\nSSM cannot change the data type. Delete the parameter, and it is created with "+
			"the right one, or choose another name.", aws.ToString(p.DataType), dataType)
	}
	return fmt.Errorf("%s, so it is left alone\n\nChoose another name, or delete the parameter.", why)
}
