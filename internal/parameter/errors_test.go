// SPDX-License-Identifier: MPL-2.0

package parameter

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametertest"
)

// TestClient_Put_foreign: what is no AMI is not overwritten, and not shown, because it may be a
// secret.
func TestClient_Put_foreign(t *testing.T) {
	const leave = ", so it is left alone\n\nChoose another name, or delete the parameter."
	for _, tt := range []struct {
		name   string
		before parametertest.Parameter
		want   string
	}{
		{"secret", parametertest.Parameter{Value: "AQICAHh", Type: "SecureString", DataType: "text"},
			"its type is SecureString, and that of a parameter for an AMI is String" + leave},
		{"secret AMI", parametertest.Parameter{Value: idA, Type: "SecureString", DataType: "text"},
			"its type is SecureString, and that of a parameter for an AMI is String" + leave},
		{"list", parametertest.Parameter{Value: idA + "," + idB, Type: "StringList", DataType: "text"},
			"its type is StringList, and that of a parameter for an AMI is String" + leave},
		{"text", parametertest.Parameter{Value: "hunter2", Type: "String", DataType: "text"},
			"its value is not the id of an AMI" + leave},
		{"AMI as text", parametertest.Parameter{Value: idA, Type: "String", DataType: "text"},
			"its data type is text, and EC2 takes an AMI only from parameters of the data type aws:ec2:image\n\n" +
				"SSM cannot change the data type. Delete the parameter, and it is created with the right one, or choose another name."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.before.Version = 3
			server := parametertest.New()
			server.Set(region, name, tt.before)
			c, _ := connect(server, Options{})
			changed, err := c.Put(t.Context(), region, name, idA)
			want := "write parameter /images/base/production in eu-west-1: " + tt.want
			if err == nil || err.Error() != want || changed {
				t.Errorf("got %v, %v, want %s", changed, err, want)
			}
			if server.Shown(region, name) != tt.before || server.Seen(region, parametertest.Put) > 0 {
				t.Errorf("SSM shows %+v", server.Shown(region, name))
			}
		})
	}
}

// TestClient_Put_refused: errors that will not pass are returned at once, with advice.
func TestClient_Put_refused(t *testing.T) {
	for _, tt := range []struct{ action, code, cause, advice string }{
		{parametertest.Get, "AccessDeniedException", "ssm:GetParameter is not allowed: ",
			"The credentials need ssm:GetParameter in eu-west-1. A policy of the organization can refuse it too."},
		{parametertest.Put, "AccessDeniedException", "ssm:PutParameter is not allowed: ",
			"The credentials need ssm:PutParameter in eu-west-1. A policy of the organization can refuse it too. " +
				"They also need ec2:DescribeImages, with which SSM checks the AMI."},
		{parametertest.Get, "ExpiredTokenException", "", "The credentials have expired"},
		{parametertest.Put, "ParameterLimitExceeded", "", "The account has as many parameters in eu-west-1 as AWS allows."},
		{parametertest.Put, "HierarchyLevelLimitExceededException", "", "The name of a parameter has at most 15 levels."},
		{parametertest.Put, "HierarchyTypeMismatchException", "", "The parameter exists with another type."},
		{parametertest.Put, "ParameterPatternMismatchException", "", "The parameter exists with a pattern"},
		{parametertest.Put, "UnsupportedParameterType", "", "The parameter exists with another type."},
		{parametertest.Put, "ParameterMaxVersionLimitExceeded", "", "The oldest version of the parameter has a label"},
		{parametertest.Put, "ValidationException", "", ""},
	} {
		t.Run(tt.action+" "+tt.code, func(t *testing.T) {
			server := parametertest.New()
			server.Next(tt.action, fail(400, tt.code))
			c, _ := connect(server, Options{})
			_, err := c.Put(t.Context(), region, name, idA)
			if err == nil {
				t.Fatal("no error")
			}
			cause, advice, _ := strings.Cut(err.Error(), "\n\n")
			if !strings.HasPrefix(cause, "write parameter /images/base/production in eu-west-1: "+tt.cause) ||
				!strings.Contains(cause, tt.code) || !strings.HasPrefix(advice, tt.advice) || (tt.advice == "") != (advice == "") {
				t.Errorf("got %v, want %s … %s and then %s", err, tt.cause, tt.code, tt.advice)
			}
			if n := server.Seen(region, tt.action); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestClient_Put_existsForever: what others have just created is not shown until the time is over.
func TestClient_Put_existsForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := parametertest.New()
		for range 100 {
			server.Next(parametertest.Put, fail(400, "ParameterAlreadyExists"))
		}
		c, _ := connect(server, Options{})
		_, err := c.Put(t.Context(), region, name, idA)
		if err == nil || !strings.HasPrefix(err.Error(), "write parameter /images/base/production in eu-west-1: gave up after 5m0s: ") ||
			!strings.HasSuffix(err.Error(), "\n\nSomebody else has just created the parameter. Run the build again.") {
			t.Errorf("got %v", err)
		}
	})
}

// TestClient_Put_arguments sends nothing that SSM refuses in any case.
func TestClient_Put_arguments(t *testing.T) {
	for _, tt := range []struct{ region, name, ami, want string }{
		{region, "/images/{image}", idA, `write parameter /images/{image} in eu-west-1: the name must be letters,`},
		{region, "/aws/base", idA, `write parameter /aws/base in eu-west-1: the name must not begin with "aws"`},
		{region, name, "ami-x", `write parameter /images/base/production in eu-west-1: "ami-x" is not the id of an AMI`},
		{"", name, idA, "write parameter /images/base/production in : region is required"},
	} {
		server := parametertest.New()
		c, _ := connect(server, Options{})
		_, err := c.Put(t.Context(), tt.region, tt.name, tt.ami)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || server.Seen(tt.region, parametertest.Get) > 0 {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
